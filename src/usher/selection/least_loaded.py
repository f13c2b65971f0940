"""The server with the most room: sessions, promised places, load and memory, by its weight."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from usher.model import Candidate, Server, User


class LeastLoaded:
    """The server with the most room; among equals, any.

    busy: how many sessions a load average of one per core counts for
    memory: how many sessions it counts for when no memory is free
    """

    def __init__(self, *, busy: float = 10.0, memory: float = 10.0) -> None:
        self._busy = busy
        self._memory = memory
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The candidate that would be the least full with one session more."""
        fullness = [self.figure(candidate) for candidate in candidates]
        best = min(fullness)
        return self._random.choice(
            [c.server for c, full in zip(candidates, fullness, strict=True) if full == best]
        )

    def why(self, candidate: Candidate, user: User) -> str:
        """How full it would be; the lowest figure is taken."""
        free = f"{candidate.load.free_memory:.0%} of memory free"
        return f"{self.figure(candidate):.2f}: {candidate.why}, {free}"

    def figure(self, candidate: Candidate) -> float:
        """How full it would be."""
        load = candidate.load
        measured = load.per_core * self._busy + (1.0 - load.free_memory) * self._memory
        return (candidate.sessions + 1 + measured) / candidate.weight
