"""The servers of a profile as its selector sees them, kept up to date change by change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from random import Random

from usher.farm import NEVER, Farm
from usher.model import Candidate, Server, User
from usher.ports import Ranking, Selector
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
        self._figures = [inf] * len(servers)
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def pick(
        self, user: User, avoid: Collection[Server] = (), port: int | None = None
    ) -> Candidate | None:
        """Where one session more goes, if anywhere; to one of ``avoid`` where there is no other.

        With ``port``, only to a server that has it.
        """
        self._catch_up()
        barred = self._without(port) if port else []
        picked = self._pick(user, [*barred, *avoid]) if avoid else None
        return picked or self._pick(user, barred)

    def _without(self, port: int) -> list[Server]:
        """As a rule all servers have the same port."""
        return [] if self._ports == {port} else [s for s in self.places if s.port != port]

    def _pick(self, user: User, barred: Collection[Server]) -> Candidate | None:
        places = [self.places[server] for server in barred if server in self.places]
        if self._figure:
            return self._least(places)
        offered = self._candidates.copy()
        for place in places:
            offered[place] = None
        candidates = [candidate for candidate in offered if candidate]
        if not candidates:
            return None
        return self._candidates[self.places[self._selector.select(candidates, user)]]

    def _least(self, barred: Collection[int]) -> Candidate | None:
        """The one with the lowest figure; of equals, the next one from anywhere."""
        figures = self._figures.copy()
        for place in barred:
            figures[place] = inf
        least = min(figures, default=inf)
        if least == inf:
            return None
        anywhere = self._random.randrange(len(figures))
        try:
            return self._candidates[figures.index(least, anywhere)]
        except ValueError:
            return self._candidates[figures.index(least)]

    def _catch_up(self) -> None:
        changed, self._seen = self._farm.changes(self._seen)
        for server in self.places if changed is None else changed:
            if (place := self.places.get(server)) is not None:
                candidate = self._farm.outlook(server, self._settings).candidate
                self._candidates[place] = candidate
                if self._figure:
                    self._figures[place] = self._figure(candidate) if candidate else inf
