"""What every directory promises."""

from __future__ import annotations

import asyncio

import pytest

from usher.directory.flat import Flat
from usher.directory.nss import Nss
from usher.model import User
from usher.ports import Directory

DIRECTORIES = {
    "flat": lambda: Flat(groups={"daemon": ["daemon"]}),
    "nss": lambda: Nss(ignore_primary_group=False),
}


@pytest.fixture(params=DIRECTORIES)
def directory(request):
    """Knows ``daemon``, in the group ``daemon`` alone."""
    return DIRECTORIES[request.param]()


def test_it_fits_the_port(directory):
    assert isinstance(directory, Directory)


async def test_a_user_comes_with_their_groups(directory):
    assert await directory.user("daemon") == User("daemon", frozenset({"daemon"}))


@pytest.mark.parametrize(
    "name", ["mallory", "jürgen müller", "DOMAIN\\maja", "maja@example.org", ""]
)
async def test_an_unknown_user_is_in_no_group(directory, name):
    assert await directory.user(name) == User(name)


async def test_the_name_stays_as_it_was_proved(directory):
    assert (await directory.user("Daemon")).name == "Daemon"


async def test_many_can_be_asked_about_at_once(directory):
    names = ["daemon", "mallory"] * 50
    users = await asyncio.gather(*map(directory.user, names))
    assert [user.name for user in users] == names
    assert {frozenset(user.groups) for user in users[::2]} == {frozenset({"daemon"})}
