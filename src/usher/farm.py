"""What is known of every server now: up, load, places promised. Nobody waits here."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from usher.model import Candidate, Server, Sight

LEASE_SECONDS = 60.0
"""How long a promised place counts when nobody tells of the session that took it."""


@dataclass(slots=True)
class _Picture:
    up: bool = True
    sight: Sight = Sight()
    promised: int = 0


class Farm:
    """The picture. A server nobody has told about counts as up and idle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pictures: defaultdict[Server, _Picture] = defaultdict(_Picture)
        self._leases: OrderedDict[tuple[str, str], tuple[_Picture, float]] = OrderedDict()

    def seen(self, server: Server, sight: Sight) -> None:
        """The server answered."""
        picture = self._pictures[server]
        picture.up, picture.sight = True, sight

    def silent(self, server: Server) -> None:
        """The server did not answer."""
        self._pictures[server].up = False

    def candidates(self, servers: Iterable[Server]) -> list[Candidate]:
        """Those of the servers that are up, with the places already promised on them."""
        self._forget_old_leases()
        return [
            Candidate(server, picture.sight.load, picture.promised)
            for server in servers
            if (picture := self._pictures[server]).up
        ]

    def lease(self, username: str, profile_id: str, server: Server) -> None:
        """Promise a place; it replaces what this user was promised for this profile before."""
        key = username, profile_id
        if key in self._leases:
            self._release(key)
        picture = self._pictures[server]
        picture.promised += 1
        self._leases[key] = picture, self._clock() + LEASE_SECONDS

    def _forget_old_leases(self) -> None:
        """They stand in the order in which they run out."""
        now = self._clock()
        while self._leases:
            key, (_, until) = next(iter(self._leases.items()))
            if until > now:
                return
            self._release(key)

    def _release(self, key: tuple[str, str]) -> None:
        picture, _ = self._leases.pop(key)
        picture.promised -= 1
