"""The agent that existing farms have: a command that is called through SSH for every question."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from usher.agents.connections import Connections
from usher.agents.lent import Lent
from usher.agents.listing import checked_user, read_sessions
from usher.agents.loadfactor import load_factor
from usher.errors import Unavailable
from usher.model import Grant, Load, Server, Session, Sight
from usher.ports import Store

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
LOAD_SECONDS = 10.0
"""How old a load may be: telling it costs the server more than a tenth of a second."""

CALLS_AT_ONCE = 4
"""sshd takes ten at most, and counts one for a while after its end."""

ANSWER_BYTES = 1 << 20

COMMENT = "usher"
"""At the end of every line that we write into a user's file: no other is taken away."""

EARLIEST_ZONE_SECONDS = 14 * 3600

LOOPBACK = ("localhost:*", "127.0.0.1:*")
"""What x2goclient asks for, and python-x2go: the same place."""

_CHANGES = ("addauthkey", "delauthkey")
_complains = re.compile(r"^(?:sh|mkdir|touch|tee|sed|sudo(?!: unable to resolve)): ", re.M).search
"""What the agent's tools say when they fail, which the agent itself calls OK."""

_is_harmless = re.compile(r'[A-Za-z0-9 .,:=*/+@%"\[\]_-]{1,4096}', re.ASCII).fullmatch


@dataclass(slots=True)
class _Known:
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    load: Load = Load()
    until: float = 0.0


class Ssh:
    """Calls x2gobroker-agent on the servers. It tells one user's sessions, and only when asked.

    username: the account that the broker logs in to on every server
    key: the private key to log in with
    known_hosts: the host keys of the servers, by their names, as OpenSSH writes them
    command: the agent's path on the servers
    shared_database: the servers share one session database, so that any of them knows all
    """

    suspends = False

    def __init__(
        self,
        *,
        store: Store,
        username: str = "x2gobroker",
        key: Path = Path("/etc/usher/id_ed25519"),
        known_hosts: Path = Path("/etc/usher/known_hosts"),
        command: str = "/usr/lib/x2go/x2gobroker-agent",
        shared_database: bool = False,
    ) -> None:
        if not command.startswith("/") or not command.replace("/", "").replace("-", "").isalnum():
            raise ValueError(f"{command!r} is no path: write one of letters, digits, / and -")
        self.shared_database = shared_database
        self._connections = Connections(username, key, known_hosts)
        self._command = command
        self._known: defaultdict[Server, _Known] = defaultdict(_Known)
        self._lent = Lent(store, self.withdraw)

    async def run(self) -> None:
        """Take away the keys whose time is over; at the end, close the connections."""
        try:
            await self._lent.run()
        finally:
            await self._connections.close()

    async def look(self, server: Server) -> Sight:
        """The load, asked for now and then; meanwhile it counts that the connection lives."""
        known = self._known[server]
        if time.monotonic() >= known.until:
            known.load = read_load(await self._call(server, "root", "checkload"))
            known.until = time.monotonic() + LOAD_SECONDS
        await self._connections.to(server)
        return Sight(known.load, agent="x2gobroker-agent")

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """What the server lists for that user; nothing for one that it does not know."""
        try:
            lines = await self._call(server, checked_user(username), "listsessions")
        except (ValueError, Unavailable) as error:
            log.info("no sessions of %r on %s: %s", username, server.name, error)
            return ()
        return [*read_sessions(lines)]

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Have the key written to the user's file, and see to it that it goes again."""
        await self._lent.note(server, grant)
        await self._change(server, "addauthkey", grant, key_line(grant, time.time()))

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Have the lines of this key that we wrote taken out of the user's file.

        The agent compares as sed does: the options need not be known any more.
        """
        await self._change(server, "delauthkey", grant, f"restrict,.* {grant.key} {COMMENT}")

    async def suspend(self, server: Server, session: Session) -> None:
        """This agent would only mark the database, and the next listing undoes it."""
        raise Unavailable(detail="the existing agent cannot suspend a session for good")

    async def _change(self, server: Server, task: str, grant: Grant, line: str) -> None:
        try:
            words = f"{task} {quoted(line)} {quoted(grant.file)}"
            await self._call(server, checked_user(grant.username), words)
        except ValueError as error:
            raise Unavailable(detail=str(error)) from error

    async def _call(self, server: Server, username: str, words: str) -> list[str]:
        """The lines after OK. Raises Unavailable with what was said instead, and OSError."""
        connection = await self._connections.to(server)
        command, task = f"{self._command} {username} {words}", words.partition(" ")[0]
        known = self._known[server]
        try:
            async with known.calls, asyncio.timeout(ANSWER_SECONDS):
                said, noise = await _run(connection, command)
        except TimeoutError:
            known.until = 0.0  # it has to answer before it counts as alive again
            raise TimeoutError(f"{task} on {server.name} is not answered") from None
        except asyncssh.Error as error:
            raise ConnectionError(f"{task} on {server.name}: {error}") from error
        first, *lines = said.splitlines() or [""]
        if noise:
            log.debug("%s on %s, beside its answer: %s", task, server.name, noise[:500])
        if not first.startswith("OK") or task in _CHANGES and _complains(noise):
            raise Unavailable(detail=f"{task} on {server.name}: {(noise or said).strip()[:500]!r}")
        return [line for line in lines if line.strip()]


async def _run(connection: asyncssh.SSHClientConnection, command: str) -> tuple[str, str]:
    """What a command prints and complains of. Every word in it was checked or quoted."""
    async with connection.create_process(f"sh -c '{command}'", errors="replace") as process:
        process.stdin.write_eof()
        said, noise = await asyncio.gather(_all(process.stdout), _all(process.stderr))
    return said, noise


async def _all(stream: asyncssh.SSHReader[str]) -> str:
    """What comes until the end: the real agent says OK some time before the rest."""
    try:
        return await stream.readexactly(ANSWER_BYTES)
    except asyncio.IncompleteReadError as ended:
        return str(ended.partial)


def key_line(grant: Grant, now: float) -> str:
    """The key as sshd reads it. The agent would write anything, so we say what it may do.

    Nobody here knows the server's time zone: the date is late enough for all of them, in case that
    nobody is left to take the key away.
    """
    targets = LOOPBACK if grant.permit_open == LOOPBACK[0] else grant.permit_open.split(",")
    options = ["restrict", "port-forwarding", *(f'permitopen="{to}"' for to in targets)]
    options += [f'from="{grant.client}"'] if grant.client else []
    end = time.gmtime(now + grant.seconds + EARLIEST_ZONE_SECONDS)
    options.append(f'expiry-time="{time.strftime("%Y%m%d%H%M%S", end)}"')
    options += ["pty"] if grant.pty else []
    return f"{','.join(options)} {grant.key} {COMMENT}"


def quoted(text: str) -> str:
    """As brokers have always quoted for this agent, within the quotes of ``sh -c``.

    Raises ValueError for what would mean something to a shell there.
    """
    if not _is_harmless(text):
        raise ValueError(f"that is no word for a server: {text[:200]!r}")
    return '"' + text.replace('"', '\\"') + '"'


def read_load(lines: Sequence[str]) -> Load:
    """Read ``checkload``, and work out the figure of the load checker. Raises ValueError."""
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    try:
        load, cores, mhz = (int(said[name]) for name in ("loadavgXX", "numCPU", "typeCPU"))
        memory = int(said["memAvail"]) or int(said["myMemAvail"])
    except KeyError as error:
        raise ValueError(f"checkload does not say {error}: {lines!r}") from error
    factor = load_factor(memory, cores, mhz, load)
    return Load(per_core=max(load - 1, 0) / 100 / max(cores, 1), factor=factor)
