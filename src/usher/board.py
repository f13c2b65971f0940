"""The servers of a profile as its selector sees them, kept up to date change by change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache, partial

from usher.changes import NEVER
from usher.farm import Farm, as_candidate
from usher.model import Candidate, Load, Server, User
from usher.ports import Ranking, Selector
from usher.ranks import Ranks, Row
from usher.settings import Settings

KEPT = 8
"""So many states of each server are remembered: places are promised and taken all the time."""


class Board:
    """Picks servers for one profile. What has not changed since the last pick is not looked at."""

    def __init__(
        self, farm: Farm, servers: Sequence[Server], settings: Settings, selector: Selector
    ) -> None:
        self.servers = dict.fromkeys(servers)
        self._made_for = tuple(servers), settings
        self._ports = {server.port for server in servers}
        self._farm = farm
        self._seen = NEVER
        kept = KEPT * len(servers)
        self._look = lru_cache(kept)(partial(_look, settings))
        self._row: Ranks | Row
        if isinstance(selector, Ranking):
            self._row = Ranks(lru_cache(kept)(selector.figure))
        else:
            self._row = Row(selector, servers)

    def serves(self, servers: Sequence[Server], settings: Settings) -> bool:
        """Would one that is made for these be the same?"""
        mine, said = self._made_for
        if mine is servers and said is settings:
            return True
        return mine == tuple(servers) and _of_interest(said) == _of_interest(settings)

    def pick(
        self, user: User, avoid: Collection[Server] = (), port: int | None = None
    ) -> Candidate | None:
        """Where one session more goes, if anywhere; to one of ``avoid`` where there is no other.

        With ``port``, only to a server that has it.
        """
        self._catch_up()
        barred = self._without(port) if port else ()
        if avoid:
            picked = self._row.pick(user, {*avoid, *barred} if barred else avoid)
            if picked:
                return picked
        return self._row.pick(user, barred)

    def _without(self, port: int) -> Sequence[Server]:
        """As a rule all servers have the same port."""
        if self._ports == {port}:
            return ()
        return [server for server in self.servers if server.port != port]

    def _catch_up(self) -> None:
        servers, farm, look, put = self.servers, self._farm, self._look, self._row.put
        farm.leases.forget_old()
        changed, self._seen = farm.changes.since(self._seen)
        for server in servers if changed is None else changed:
            if server in servers:
                put(server, look(server, farm.load(server), farm.leases.on(server)))


def _of_interest(settings: Settings) -> tuple[object, ...]:
    return settings.selector, settings.weights, settings.caps


def _look(settings: Settings, server: Server, load: Load | str, leases: int) -> Candidate | None:
    seen = as_candidate(server, load, leases, settings)
    return seen if isinstance(seen, Candidate) else None
