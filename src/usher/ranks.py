"""The candidates of a profile, kept so that its selector finds the one it wants."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from heapq import heapify, heappop, heappush
from random import random

from usher.model import Candidate, Server, User
from usher.ports import Selector

_Entry = tuple[float, float, Candidate]
"""A figure, a random number that decides among equals, and whose figure it is."""

SPARE = 64
"""So many outdated entries at least may wait for their turn to be thrown away."""


class Ranks:
    """For a selector that goes by one figure: the candidate with the lowest is found at once."""

    def __init__(self, figure: Callable[[Candidate], float]) -> None:
        self._figure = figure
        self._current: dict[Server, _Entry] = {}
        self._heap: list[_Entry] = []  # of current entries, and of outdated ones

    def put(self, server: Server, candidate: Candidate | None) -> None:
        """The server is like this from now on; without a candidate, it cannot be had."""
        if candidate is None:
            self._current.pop(server, None)
            return
        entry = self._figure(candidate), random(), candidate  # noqa: S311 - guards nothing
        self._current[server] = entry
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._current) + SPARE:
            self._heap = [*self._current.values()]
            heapify(self._heap)

    def pick(self, user: User, barred: Container[Server]) -> Candidate | None:
        """The candidate with the lowest figure that is not barred; of equals, any."""
        heap, current, aside = self._heap, self._current, []
        picked = None
        while heap and not picked:
            entry = heap[0]
            candidate = entry[2]
            if current.get(candidate.server) is not entry:
                heappop(heap)
            elif candidate.server in barred:
                aside.append(heappop(heap))
            else:
                picked = candidate
        for entry in aside:
            heappush(heap, entry)
        return picked


class Row:
    """For any other selector: it is shown all of them, in the order of the profile."""

    def __init__(self, selector: Selector, servers: Iterable[Server]) -> None:
        self._selector = selector
        self._candidates: dict[Server, Candidate | None] = dict.fromkeys(servers)

    def put(self, server: Server, candidate: Candidate | None) -> None:
        """The server is like this from now on; None: it is no candidate."""
        self._candidates[server] = candidate

    def pick(self, user: User, barred: Container[Server]) -> Candidate | None:
        """The one that the selector wants among those that are not barred."""
        offered = [c for c in self._candidates.values() if c and c.server not in barred]
        return self._candidates[self._selector.select(offered, user)] if offered else None
