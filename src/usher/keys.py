"""One-time login keys: made ahead, handed out, let in on every server that a client may go to."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from msgspec.structs import replace

from usher.errors import Unavailable
from usher.farm import Farm
from usher.grants import Grants, grants
from usher.model import Client, Grant, Profile, Selection, Server, User
from usher.ports import Agent

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0

MOST_KEYS = 5
"""So many of one user may hold at the same time."""

MAKER = (sys.executable, "-I", "-m", "usher.helpers.keypairs")
_TYPES = "ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)"
_find_key = re.compile(rf"(?:^|\s)((?:{_TYPES}) [A-Za-z0-9+/]+={{0,2}})(?=\s|$)").search
_RSA_BITS = 2048


class ServerLost(OSError):
    """The server that was selected does not answer: another has to be."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A key pair: public as ``TYPE BASE64``; private in PEM, empty where only a client has it."""

    public: str
    private: str = field(repr=False)


class Pool:
    """Key pairs for ``size`` logins, made by a child of low priority as soon as one is wanted."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pairs: deque[Pair] = deque()
        self.wanted = asyncio.Event()

    def take(self) -> Pair | None:
        """A pair, or None when none is left."""
        self.wanted.set()
        return self._pairs.popleft() if self._pairs else None

    def give_back(self, pair: Pair) -> None:
        """Nobody has seen this one."""
        if pair.private:
            self._pairs.appendleft(pair)

    def __len__(self) -> int:
        return len(self._pairs)

    async def run(self) -> None:
        """Keep the pool full, until cancelled."""
        await self.wanted.wait()
        maker = await asyncio.create_subprocess_exec(
            *MAKER, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        try:
            await self._fill(maker.stdout)
        finally:
            with suppress(ProcessLookupError):
                maker.kill()
            await maker.communicate()  # to the end of the pipe, or it would never be closed

    async def _fill(self, lines: asyncio.StreamReader | None) -> None:
        """The maker waits at the other end of the pipe while the pool is full."""
        while lines:
            while len(self._pairs) >= self._size:
                self.wanted.clear()
                await self.wanted.wait()
            private, public = await lines.readline(), await lines.readline()
            if not public.endswith(b"\n"):
                self.wanted.set()  # by whoever begins again
                raise ChildProcessError("the maker of one-time keys has ended")
            self._pairs.append(Pair(b64decode(public).decode(), b64decode(private).decode()))


class Outstanding:
    """The keys of every user that still hold: nobody may have more than a few."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, dict[str, float]] = {}

    def count(self, username: str) -> int:
        """How many of this user's hold now."""
        now = self._clock()
        holding = {k: until for k, until in self._until.pop(username, {}).items() if until > now}
        if holding:
            self._until[username] = holding
        return len(holding)

    def add(self, grant: Grant) -> None:
        """This one holds from now on; once more, if it did already."""
        until = self._clock() + grant.seconds
        self._until.setdefault(grant.username, {})[grant.key] = until

    def discard(self, grant: Grant) -> None:
        """Nobody has let this one in."""
        self._until.get(grant.username, {}).pop(grant.key, None)


@dataclass(frozen=True, slots=True)
class Keys:
    """Lets a client log in without a password, once and for a short time."""

    agent: Agent
    farm: Farm
    pool: Pool
    outstanding: Outstanding = field(default_factory=Outstanding)
    _asking: set[asyncio.Task[bool]] = field(default_factory=set)

    def foresee(self, profiles: Iterable[Profile]) -> None:
        """Whoever sees these profiles may soon want a key."""
        pool = self.pool
        if not pool and any(profile.settings.session_autologin for profile in profiles):
            pool.wanted.set()

    async def hand_out(
        self,
        selection: Selection,
        profile: Profile,
        user: User,
        client: Client,
        public_key: str = "",
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> Selection:
        """The selection, with a key for all its servers.

        A server that will not have it, or says nothing for ``patience`` seconds, is left out; if
        that is all, the client asks for the password. Raises ServerLost when none of them answers.
        """
        pair = self._pair(user, public_key)
        if not pair:
            return selection
        try:
            own = not pair.private
            wanted = await grants(profile, selection, user, client, pair.public, own=own)
        except (Unavailable, OSError) as error:
            log.warning("no one-time key for %s: %s", user.name, _reason(error))
            self.pool.give_back(pair)
            return selection
        welcome = await self._authorize(selection, wanted, patience)
        selection = _without(selection, welcome)
        if selection.server not in welcome:
            return selection
        return replace(selection, private_key=pair.private, key_accepted=own)

    def _pair(self, user: User, public_key: str) -> Pair | None:
        """The client's own key, whose private half stays there, or else one of the pool."""
        if self.outstanding.count(user.name) >= MOST_KEYS:
            log.warning("no one-time key for %s: %d still hold", user.name, MOST_KEYS)
            return None
        if own := read_public_key(public_key):
            return Pair(own, "")
        pair = self.pool.take()
        if not pair:
            log.warning("no one-time key for %s: the pool is empty", user.name)
        return pair

    async def _authorize(
        self, selection: Selection, wanted: Grants, patience: float
    ) -> set[Server]:
        """The servers that let the key in; none, where a proxy before them does not."""
        grant, proxy = wanted.inside, wanted.proxy
        self.outstanding.add(grant)
        servers = dict.fromkeys([selection.server, *(own.server for own in selection.sessions)])
        asked = {self._ask(s, grant): s for s in servers if not s.name.endswith(".invalid")}
        if proxy and wanted.outside:
            asked[self._ask(proxy, wanted.outside)] = proxy
        # Who has not answered goes on: what comes of it is for the next who is sent there.
        answered, silent = await asyncio.wait(asked, timeout=patience) if asked else (set(), set())
        welcome = {asked[task] for task in answered if task.result()}
        lost = any(asked[task] == selection.server for task in silent)
        if proxy and proxy not in welcome:
            log.warning("no one-time key for %s: not at the proxy %s", grant.username, proxy.name)
            welcome.clear()
        welcome &= servers.keys()
        if not welcome:
            self.outstanding.discard(grant)
        if not welcome and (lost or not self.farm.is_up(selection.server)):
            raise ServerLost(f"{selection.server.name} does not answer")
        return welcome

    def _ask(self, server: Server, grant: Grant) -> asyncio.Task[bool]:
        task = asyncio.get_running_loop().create_task(self._welcomes(server, grant))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _welcomes(self, server: Server, grant: Grant) -> bool:
        try:
            await self.agent.authorize(server, grant)
        except Unavailable as error:
            log.warning(
                "no key of %s on %s: %s", grant.username, server.name, error.detail or error
            )
            self.farm.key_failed(server)
            return False
        except OSError as error:  # TimeoutError is one
            log.warning("%s does not answer: %s", server.name, error)
            self.farm.silent(server, str(error))
            return False
        except Exception:
            log.exception("what %s answers to a key cannot be read", server.name)
            self.farm.key_failed(server)
            return False
        self.farm.key_placed(server)
        return True


def read_public_key(text: str) -> str:
    """The key in what a client calls its key, without options and comment; empty if it is none.

    Whatever is not a key of a kind that sshd takes, or is too weak for it, is none.
    """
    found = _find_key(text)
    if not found:
        return ""
    # Only python-x2go sends a key, and half of the start-up time would go into this.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    try:
        key = load_ssh_public_key(found[1].encode())
    except ValueError as error:
        log.info("a client's key cannot be read: %s", error)
        return ""
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        log.info("a client's key of %d bits is too weak", key.key_size)
        return ""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _reason(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return error.detail
    return str(error) or "the proxy's name is not found in time"


def _without(selection: Selection, welcome: Iterable[Server]) -> Selection:
    """Only servers that let the key in, unless none does."""
    welcome = set(welcome)
    if not welcome:
        return selection
    sessions = tuple(own for own in selection.sessions if own.server in welcome)
    server = selection.server
    if server not in welcome and sessions:
        server = sessions[0].server
    return replace(selection, server=server, sessions=sessions)
