"""Any server."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from usher.model import Candidate, Server, User


class AnyServer:
    """Any server, each as often as the others."""

    def __init__(self) -> None:
        self._random = Random()  # noqa: S311 - spreads users, guards nothing

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """A candidate by lot."""
        return self._random.choice(candidates).server

    def why(self, candidate: Candidate, user: User) -> str:
        """Nothing counts."""
        return "by lot"
