"""Groups written into the configuration."""

from __future__ import annotations

from usher.directory.flat import Flat
from usher.model import User


async def test_a_user_is_in_every_group_that_names_them():
    flat = Flat(groups={"staff": ["alice", "bob"], "admins": ["alice"]})
    assert await flat.user("alice") == User("alice", frozenset({"staff", "admins"}))
    assert await flat.user("bob") == User("bob", frozenset({"staff"}))


async def test_without_groups_everybody_is_in_none():
    assert await Flat().user("alice") == User("alice")
