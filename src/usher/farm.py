"""What is known of every server now: up, load, places promised. Nobody waits here."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from usher.model import Candidate, Load, Server

LEASE_SECONDS = 60.0
"""How long a promised place counts when nobody tells of the session that took it."""


@dataclass(frozen=True, slots=True)
class _Picture:
    up: bool = True
    load: Load = Load()


_UNKNOWN = _Picture()


class Farm:
    """The picture. A server nobody has told about counts as up and idle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pictures: dict[Server, _Picture] = {}
        self._leases: OrderedDict[tuple[str, str], tuple[Server, float]] = OrderedDict()
        self._promised: Counter[Server] = Counter()

    def seen(self, server: Server, load: Load) -> None:
        """The server answered."""
        self._pictures[server] = _Picture(up=True, load=load)

    def silent(self, server: Server) -> None:
        """The server did not answer."""
        self._pictures[server] = _Picture(up=False)

    def candidates(self, servers: Iterable[Server]) -> list[Candidate]:
        """Those of the servers that are up, with the places already promised on them."""
        self._forget_old_leases()
        return [
            Candidate(server, picture.load, self._promised.get(server, 0))
            for server in servers
            if (picture := self._pictures.get(server, _UNKNOWN)).up
        ]

    def lease(self, username: str, profile_id: str, server: Server) -> None:
        """Promise a place; it replaces what this user was promised for this profile before."""
        key = username, profile_id
        if key in self._leases:
            self._release(key)
        self._leases[key] = server, self._clock() + LEASE_SECONDS
        self._promised[server] += 1

    def _forget_old_leases(self) -> None:
        """They stand in the order in which they run out."""
        now = self._clock()
        while self._leases:
            key, (_, until) = next(iter(self._leases.items()))
            if until > now:
                return
            self._release(key)

    def _release(self, key: tuple[str, str]) -> None:
        server, _ = self._leases.pop(key)
        self._promised[server] -= 1
