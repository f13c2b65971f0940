"""What is known of every server now: up, load, places promised. Nobody waits here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from usher.model import Candidate, Load, Server

LEASE_SECONDS = 60.0
"""How long a promised place counts when nobody tells of the session that took it."""


@dataclass(slots=True)
class _Picture:
    up: bool = True
    load: Load = Load()


class Farm:
    """The picture. A server nobody has told about counts as up and idle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pictures: dict[Server, _Picture] = {}
        self._leases: dict[tuple[str, str], tuple[Server, float]] = {}

    def seen(self, server: Server, load: Load) -> None:
        """The server answered."""
        self._pictures[server] = _Picture(up=True, load=load)

    def silent(self, server: Server) -> None:
        """The server did not answer."""
        self._pictures[server] = _Picture(up=False)

    def candidates(self, servers: Iterable[Server]) -> list[Candidate]:
        """Those of the servers that are up, with the places already promised on them."""
        promised = self._promised()
        return [
            Candidate(server, picture.load, promised.get(server, 0))
            for server in servers
            if (picture := self._pictures.get(server) or _Picture()).up
        ]

    def lease(self, username: str, profile_id: str, server: Server) -> None:
        """Promise a place; it replaces what this user was promised for this profile before."""
        self._leases.pop((username, profile_id), None)
        self._leases[username, profile_id] = server, self._clock() + LEASE_SECONDS

    def _promised(self) -> dict[Server, int]:
        now = self._clock()
        for key, (_, until) in list(self._leases.items()):
            if until > now:
                break  # they stand in the order in which they run out
            del self._leases[key]
        count: dict[Server, int] = {}
        for server, _ in self._leases.values():
            count[server] = count.get(server, 0) + 1
        return count
