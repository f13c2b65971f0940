"""The same server for a user each time, without remembering: rendezvous hashing."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, log

from usher.model import Candidate, Server, User

_MOST = float(2**64)


class UserHash:
    """Each user has a server of their own, by their name; only those of a lost server move."""

    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """The candidate that ranks highest for this user."""
        return max(candidates, key=lambda candidate: _rank(candidate, user)).server

    def why(self, candidate: Candidate, user: User) -> str:
        """Its rank; the highest figure is taken."""
        return f"{_rank(candidate, user):.3f} for {user.name}, of weight {candidate.weight:g}"


def _rank(candidate: Candidate, user: User) -> float:
    """Weighted rendezvous: a server of twice the weight ranks highest for twice as many users."""
    digest = blake2b(f"{user.name}\0{candidate.server.name}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest) / _MOST
    return candidate.weight / -log(share) if share else -inf
