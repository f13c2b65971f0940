"""The servers of a profile as its selector sees them, kept up to date change by change."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set

from usher.farm import NEVER, Farm
from usher.model import Candidate, Server, User
from usher.ports import Ranking, Selector
from usher.ranks import Ranks
from usher.settings import Settings


class Board:
    """Picks servers for one profile. What has not changed since the last pick is not looked at.

    ``places``: its ``servers``, each to where it stands.
    """

    def __init__(
        self, farm: Farm, servers: Sequence[Server], settings: Settings, selector: Selector
    ) -> None:
        self.servers = servers
        self.places = {server: place for place, server in enumerate(servers)}
        self._ports = {server.port for server in servers}
        self._farm = farm
        self._settings = settings
        self._selector = selector
        self._figure = selector.figure if isinstance(selector, Ranking) else None
        self._seen = NEVER
        self._candidates: list[Candidate | None] = [None] * len(servers)
        self._ranks = Ranks()

    def pick(
        self, user: User, avoid: Collection[Server] = (), port: int | None = None
    ) -> Candidate | None:
        """Where one session more goes, if anywhere; to one of ``avoid`` where there is no other.

        With ``port``, only to a server that has it.
        """
        self._catch_up()
        barred = self._without(port) if port else frozenset[int]()
        picked = None
        if avoid:
            avoided = {self.places[server] for server in avoid if server in self.places}
            picked = self._pick(user, avoided | barred)
        return picked or self._pick(user, barred)

    def _without(self, port: int) -> Set[int]:
        """As a rule all servers have the same port."""
        if self._ports == {port}:
            return frozenset()
        return {place for server, place in self.places.items() if server.port != port}

    def _pick(self, user: User, barred: Collection[int]) -> Candidate | None:
        if self._figure:
            place = self._ranks.lowest(barred)
            return None if place is None else self._candidates[place]
        offered = [c for place, c in enumerate(self._candidates) if c and place not in barred]
        if not offered:
            return None
        return self._candidates[self.places[self._selector.select(offered, user)]]

    def _catch_up(self) -> None:
        places, farm = self.places, self._farm
        changed, self._seen = farm.changes(self._seen)
        for server in places if changed is None else changed:
            if (place := places.get(server)) is not None:
                outlook = farm.outlook(server, self._settings)
                candidate = outlook if isinstance(outlook, Candidate) else None
                self._candidates[place] = candidate
                if self._figure:
                    self._ranks.put(place, self._figure(candidate) if candidate else None)
