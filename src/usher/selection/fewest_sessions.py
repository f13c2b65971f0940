"""The server with the fewest sessions, promised places included, by its weight."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from usher.model import Candidate, Server, User


class FewestSessions:
    """The server with the fewest sessions; among equals, any."""

    def __init__(self) -> None:
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The candidate that would have the fewest sessions with one more."""
        least = min(map(self.figure, candidates))
        return self._random.choice([c.server for c in candidates if self.figure(c) == least])

    def why(self, candidate: Candidate, user: User) -> str:
        """How many sessions it would have; the lowest figure is taken."""
        return f"{self.figure(candidate):.2f}: {candidate.why}"

    def figure(self, candidate: Candidate) -> float:
        """How many sessions it would have for its weight."""
        return (candidate.sessions + 1) / candidate.weight
