"""One SSH connection to every server, kept open: whoever asks for it gets it, or hears why not."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

import asyncssh
from aiohappyeyeballs import start_connection

from usher import places
from usher.model import Server

log = logging.getLogger(__name__)
asyncssh.set_log_level(logging.WARNING)  # it tells of every connection and command

CONNECT_SECONDS = 8.0
NEXT_ADDRESS_SECONDS = 0.25
KEEPALIVE_SECONDS = 5
KEEPALIVE_TIMES = 2
"""A server from which nothing is heard for ten seconds has lost its connection."""

QUICK_CIPHER = "^aes128-gcm@openssh.com"
"""Preferred to the usual first choice, which costs several times as much for a short packet."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
AT_ONCE = 16
"""Connections that are being made at the same time: each costs the daemon some milliseconds."""


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: asyncssh.SSHClientConnection | None = None
    failures: int = 0
    not_before: float = 0.0
    why: str = ""


class Connections:
    """Connections as one account with one key, to servers whose host keys are known.

    One that says nothing for ``quiet_seconds`` is asked whether it lives. Raises OSError or
    ValueError, with the file that is to blame, when it cannot begin.
    """

    def __init__(
        self,
        username: str,
        key: Path,
        known_hosts: Path,
        quiet_seconds: float = KEEPALIVE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for file in (key, known_hosts):
            places.readable(file)
        try:
            self._key = asyncssh.read_private_key(key)
            asyncssh.read_known_hosts(str(known_hosts))
        except (asyncssh.KeyImportError, ValueError) as error:
            raise ValueError(f"{key} and {known_hosts} cannot both be used: {error}") from error
        self._username = username
        self._known_hosts = known_hosts
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._entries: defaultdict[Server, _Entry] = defaultdict(_Entry)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._random = Random()  # noqa: S311 - spreads attempts, guards nothing

    async def to(self, server: Server) -> asyncssh.SSHClientConnection:
        """The open connection to this server. A ConnectionError says why there is none."""
        entry = self._entries[server]
        async with entry.lock:
            if entry.connection and not entry.connection.is_closed():
                return entry.connection
            if self._clock() < entry.not_before:
                raise ConnectionError(entry.why)
            try:
                entry.connection = await self._connect(server)
            except (OSError, asyncssh.Error) as error:
                self._put_off(server, entry, error)
            else:
                log.info("connected to the agent on %s", server.name)
                entry.failures, entry.why = 0, ""
                return entry.connection
        raise ConnectionError(entry.why)

    async def close(self) -> None:
        """Close them all."""
        open_ones = [entry.connection for entry in self._entries.values() if entry.connection]
        self._entries.clear()
        for connection in open_ones:
            connection.abort()

    async def _connect(self, server: Server) -> asyncssh.SSHClientConnection:
        """Only who is there takes a turn: many dead servers hold up none that lives."""
        transport = await _reach(server)
        try:
            async with self._turn, asyncio.timeout(CONNECT_SECONDS):
                return await asyncssh.connect(
                    server.address,
                    server.port,
                    sock=transport,
                    username=self._username,
                    client_keys=[self._key],
                    known_hosts=_known(self._known_hosts),
                    host_key_alias=server.name,
                    config=None,
                    agent_path=None,
                    preferred_auth="publickey",
                    encryption_algs=QUICK_CIPHER,
                    keepalive_interval=self._quiet_seconds,
                    keepalive_count_max=KEEPALIVE_TIMES,
                )
        except BaseException:
            transport.close()  # whoever gave it up may have done so before it was anybody's
            raise

    def _put_off(self, server: Server, entry: _Entry, error: Exception) -> None:
        """The next attempt is later each time, and not when those for all other servers are."""
        why = _reason(server, error)
        if why != entry.why:
            log.warning("no agent on %s: %s", server.name, why)
        pause = min(FIRST_PAUSE_SECONDS * 2**entry.failures, LONGEST_PAUSE_SECONDS)
        entry.failures, entry.why = entry.failures + 1, why
        entry.not_before = self._clock() + pause * self._random.uniform(0.5, 1.0)


def _known(path: Path) -> asyncssh.SSHKnownHosts:
    """The known hosts as the file has them now. Raises OSError."""
    found = path.stat()
    try:
        return _read(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except ValueError as error:
        raise ConnectionError(f"{path} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _read(path: Path, *mark: int) -> asyncssh.SSHKnownHosts:
    """Those of five hundred servers hold everybody up for long: read once for each ``mark``."""
    return asyncssh.read_known_hosts(str(path))


async def _reach(server: Server) -> socket.socket:
    """A connection to the first of its addresses that answers."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_SECONDS):
        found = await loop.getaddrinfo(server.address, server.port, type=socket.SOCK_STREAM)
        return await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS)


def _reason(server: Server, error: Exception) -> str:
    """What to tell people, with a remedy where there is one."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return f"its host key is not the known one: usher hosts trust {server.name}"
    if isinstance(error, asyncssh.PermissionDenied):
        return f"it does not let our key in: usher hosts install {server.name}"
    return str(error) or type(error).__name__
