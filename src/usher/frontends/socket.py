"""The Unix socket: requests by SSH and CGI, and an administrator's orders, each with its own rank.

A message is a line of words and then so many bytes: ``ssh 203.0.113.7 52`` or
``cgi plain 203.0.113.7 52`` and a form of 52 bytes, or ``admin revoke 5`` and ``alice``. The answer
is ``STATUS LENGTH CONTENT-TYPE`` and the bytes. The kernel tells who is at the other end; what the
message says about that counts for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

from usher import places
from usher.errors import AuthFailed, BadRequest, BrokerError
from usher.frontends.boundary import Handler, answer, incident
from usher.model import Client, client_at
from usher.wire import json, plain
from usher.wire.answer import Answer, Wire
from usher.wire.form import read_form
from usher.wire.ssh import Ssh

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""To send a message; to take the answer; to get one when the daemon stops."""

BODY_BYTES = 64 * 1024
WIRES: Mapping[str, Wire] = {"plain": plain, "json": json}
HERE = "127.0.0.1"
"""Where somebody is who has not come by the network."""

MOST_OF_A_STRANGER = 16
"""Connections that an account without a rank may hold open: whoever it is, files run out."""

Order = Callable[[str], Awaitable[str]]
"""An administrator's order: its argument in, what to tell the administrator out."""


class UnixSocket:
    """Listens for the thin commands.

    ``relays`` and ``admins`` are account names; root and the daemon's own account are admins, too.
    ``orders`` are what admins may ask for, by name. ``accounts``: is every account a user?
    ``trust_ssh_connection``: may one tell where its client is?
    """

    def __init__(
        self,
        handle: Handler,
        *,
        path: Path,
        relays: Iterable[str],
        admins: Iterable[str],
        orders: Mapping[str, Order],
        accounts: bool = True,
        trust_ssh_connection: bool = True,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._handle = handle
        self._path = path
        self._relays = {*_uids(relays)}
        self._admins = {0, os.getuid(), *_uids(admins)}
        self._orders = orders
        self._accounts = accounts
        self._trust_ssh_connection = trust_ssh_connection
        self._patience = patience
        self._kinds = {"ssh": self._ssh, "cgi": self._cgi, "admin": self._admin}
        self._talks: dict[asyncio.Task[None], int] = {}

    async def listen(self) -> None:
        """Accept connections. Raises OSError when the socket cannot be made."""
        self._make_way()
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=1024)
        self._path.chmod(0o666)

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; then finish what has begun."""
        await stop.wait()
        self._path.unlink(missing_ok=True)  # while it is ours: another daemon may wait for it
        self._server.close()
        if self._talks:
            await asyncio.wait(self._talks, timeout=self._patience)

    def _make_way(self) -> None:
        """Remove what a daemon that died has left; a living one keeps its place."""
        places.listenable(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._path))
            except FileNotFoundError:
                return
            except ConnectionRefusedError:
                self._path.unlink()
                return
        raise OSError(f"another daemon listens at {self._path}: give this one a [socket] path")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer(writer)
        if self._crowded(uid):
            log.warning("refused uid %d at the socket: %d are open", uid, MOST_OF_A_STRANGER)
            writer.close()
            return
        talk = cast("asyncio.Task[None]", asyncio.current_task())
        self._talks[talk] = uid
        try:
            made = await self._answer(uid, reader)
            head = f"{made.status} {len(made.body)} {made.content_type}\n"
            writer.write(head.encode() + made.body)
            async with asyncio.timeout(self._patience):
                await writer.drain()
        except (ConnectionError, TimeoutError) as error:
            log.debug("an answer at the socket was not taken: %s", error)
            writer.transport.abort()
        finally:
            writer.close()
            del self._talks[talk]

    def _crowded(self, uid: int) -> bool:
        """Would another of this account's connections take places that clients need?"""
        if uid in self._relays or uid in self._admins:
            return False
        return list(self._talks.values()).count(uid) >= MOST_OF_A_STRANGER

    async def _answer(self, uid: int, reader: asyncio.StreamReader) -> Answer:
        """Read a message and do what it asks. Never raises."""
        try:
            kind, words, body = await _read_message(reader, self._patience)
            if kind not in self._kinds:
                raise BadRequest(detail=f"{kind!r} is no kind of message")
            return await self._kinds[kind](uid, words, body)
        except BrokerError as error:
            log.warning("refused uid %d at the socket: %s", uid, error.detail or error)
            return _say(f"{error}\n", 403 if isinstance(error, AuthFailed) else 400)
        except Exception as error:  # noqa: BLE001 - the last line; incident() logs it in full
            number = incident(error, f"uid {uid}")
            return _say(f"Internal error, incident {number}.\n", 500)

    async def _ssh(self, uid: int, words: list[str], body: bytes) -> Answer:
        """A form of somebody whom the host's own SSH server has let in, as this account."""
        if not self._accounts:
            message = "Accounts of this machine are no users of the broker."
            raise AuthFailed(message, detail=f"ssh from uid {uid}, and [socket] accounts = false")
        client = _client(words if words and self._trust_ssh_connection else [HERE])
        typed = read_form(body).get("user", "").strip()
        async with asyncio.timeout(self._patience):
            wire = await asyncio.to_thread(_wire_of, uid, typed)
        return await answer(self._handle, wire, body, client)

    async def _cgi(self, uid: int, words: list[str], body: bytes) -> Answer:
        """A form that a web server has received; it authenticates like any other."""
        if uid not in self._relays:
            raise AuthFailed("This account may not relay.", detail=f"cgi from uid {uid}")
        wire = WIRES.get(words[0]) if words else None
        if not wire:
            raise BadRequest(detail=f"cgi {words}")
        return await answer(self._handle, wire, body, _client(words[1:]))

    async def _admin(self, uid: int, words: list[str], body: bytes) -> Answer:
        if uid not in self._admins:
            raise AuthFailed("Only administrators may do that.", detail=f"admin from uid {uid}")
        if len(words) != 1 or words[0] not in self._orders:
            raise BadRequest(detail=f"admin {words}")
        return _say(await self._orders[words[0]](_text(body)), 200)


async def _read_message(
    reader: asyncio.StreamReader, patience: float
) -> tuple[str, list[str], bytes]:
    try:
        async with asyncio.timeout(patience):
            kind, *words, length = (await reader.readline()).decode("ascii").split()
            if not 0 <= int(length) <= BODY_BYTES:
                raise ValueError(f"{length} bytes")
            return kind, words, await reader.readexactly(int(length))
    except (ValueError, EOFError, TimeoutError) as error:
        raise BadRequest(detail=f"not a message: {error!r}") from error


def _client(words: list[str]) -> Client:
    try:
        (address,) = words
        return client_at(address)
    except ValueError as error:
        raise BadRequest(detail=f"a client at {words}") from error


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(detail=str(error)) from error


def _say(text: str, status: int) -> Answer:
    return Answer(text.encode(), "text/plain; charset=utf-8", status)


def _peer(writer: asyncio.StreamWriter) -> int:
    """The uid at the other end, from the kernel."""
    connection = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", raw)
    return int(uid)


def _wire_of(uid: int, typed: str) -> Ssh:
    """Ask the system, which may take long, who this is, and if the name typed is theirs as well.

    Some name services find alice for Alice, too.
    """
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise AuthFailed("This account has no name.", detail=f"ssh from uid {uid}") from None
    return Ssh(name, (typed,) if typed not in ("", name) and _is(typed, uid) else ())


def _is(name: str, uid: int) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid == uid
    except KeyError:
        return False


def _uids(names: Iterable[str]) -> Iterable[int]:
    """The uids of those accounts that this machine has."""
    for name in names:
        try:
            yield pwd.getpwnam(name).pw_uid
        except KeyError:
            log.info("there is no account %r here", name)
