"""The formula of the load checker that existing brokers have, for those who rely on it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from usher.model import Candidate, Server, User


class LoadFactor:
    """The lowest (sessions + 1) / load factor; of equals the first by name.

    A server of which none is known comes last.
    """

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The candidate with the lowest metric."""
        return min(candidates, key=lambda c: (_metric(c), c.server.name)).server

    def why(self, candidate: Candidate, user: User) -> str:
        """Its metric; the lowest is taken."""
        return f"{_metric(candidate):.6g}: {candidate.why}, load factor {candidate.load.factor}"


def _metric(candidate: Candidate) -> float:
    factor = candidate.load.factor * candidate.weight
    return (candidate.sessions + 1) / factor if factor else inf
