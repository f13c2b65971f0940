"""Groups written into the configuration."""

from __future__ import annotations

from collections import defaultdict

from usher.model import User


class Flat:
    """Groups written into the configuration; a user in none of them is in no group.

    groups: group names and the users in each
    """

    def __init__(self, *, groups: dict[str, list[str]] | None = None) -> None:
        of_user: defaultdict[str, set[str]] = defaultdict(set)
        for group, members in (groups or {}).items():
            for member in members:
                of_user[member].add(group)
        self._users = {name: User(name, frozenset(of)) for name, of in of_user.items()}

    async def user(self, username: str) -> User:
        """The user with the groups that name them."""
        return self._users.get(username) or User(username)
