"""Any server, in proportion to its weight."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from usher.model import Candidate, Server, User


class WeightedRandom:
    """Any server; one of twice the weight twice as often."""

    def __init__(self) -> None:
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """A candidate by lot."""
        weights = [candidate.weight for candidate in candidates]
        return self._random.choices(candidates, weights)[0].server

    def why(self, candidate: Candidate, user: User) -> str:
        """Its weight."""
        return f"by lot, of weight {candidate.weight:g}"
