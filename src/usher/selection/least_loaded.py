"""The server with the most room: fewest sessions and promised places, then the lowest load."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from usher.model import Candidate, Server, User


class LeastLoaded:
    """The server with the most room; among equals, any."""

    def __init__(self) -> None:
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The candidate with the fewest sessions and leases, then the lowest load per core."""
        fullness = [_fullness(candidate) for candidate in candidates]
        best = min(fullness)
        return self._random.choice(
            [c.server for c, full in zip(candidates, fullness, strict=True) if full == best]
        )


def _fullness(candidate: Candidate) -> tuple[float, float]:
    return candidate.load.sessions + candidate.leases, candidate.load.per_core
