"""Always the first server: for profiles where the order is the policy."""

from __future__ import annotations

from collections.abc import Sequence

from usher.model import Candidate, Server, User


class First:
    """Always the first server that may take a session."""

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The first of the candidates."""
        return candidates[0].server

    def why(self, candidate: Candidate, user: User) -> str:
        """The order alone counts."""
        return "the first one is taken"
