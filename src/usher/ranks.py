"""Who stands lowest? Kept in order from change to change, however many there are."""

from __future__ import annotations

from collections.abc import Container
from heapq import heapify, heappop, heappush
from random import random

_Entry = tuple[float, float, int]
"""A figure, a random number that decides among equals, and whose figure it is."""

SPARE = 64
"""So many outdated entries at least may wait for their turn to be thrown away."""


class Ranks:
    """Numbers and their figures; the one with the lowest is found at once."""

    def __init__(self) -> None:
        self._current: dict[int, _Entry] = {}
        self._heap: list[_Entry] = []  # of current entries, and of outdated ones

    def put(self, number: int, figure: float | None) -> None:
        """This one's figure is this from now on; it is not there at all without one."""
        if figure is None:
            self._current.pop(number, None)
            return
        entry = self._current[number] = figure, random(), number  # noqa: S311 - guards nothing
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._current) + SPARE:
            self._heap = [*self._current.values()]
            heapify(self._heap)

    def lowest(self, barred: Container[int] = ()) -> int | None:
        """The one with the lowest figure that is not barred, if there is any; of equals, any."""
        heap, current, aside = self._heap, self._current, []
        while heap:
            entry = heap[0]
            if current.get(entry[2]) is entry:
                if entry[2] not in barred:
                    break
                aside.append(entry)
            heappop(heap)
        found = heap[0][2] if heap else None
        for entry in aside:
            heappush(heap, entry)
        return found
