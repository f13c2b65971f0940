"""What every profile source promises."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from usher.model import Server, User, client_at
from usher.ports import ProfileSource
from usher.profiles.inifile import IniFile
from usher.profiles.python import PythonFile

ALICE = User("alice", frozenset(["staff"]))
BOB = User("bob")
HERE = client_at("192.0.2.1")

INI = """
[DEFAULT]
acl-groups-allow = staff

[desktop]
name = Desktop
command = kde
host = ts1 (10.0.0.1:2222)

[Büro]
name = Büro
host = ts1 (10.0.0.1:2222)

[broken]
width = wide
"""

PYTHON = """
from pathlib import Path

def list_profiles(user):
    staff = {"acl-groups-allow": ["staff"]}
    name = Path(__file__).with_name("name").read_text()
    return {
        "desktop": {"name": name, "command": "kde", **staff},
        "Büro": {"name": "Büro", **staff},
        "broken": {"width": "wide", **staff},
    }

def select_profile(user, sid):
    return {"desktop": "ts1:2222", "Büro": "ts1:2222"}[sid]
"""


@asynccontextmanager
async def inifile(folder):
    """The file, and a way to give its desktop another name."""
    path = folder / "profiles.conf"
    path.write_text(INI, encoding="utf-8")
    source = IniFile(path=path)

    def rename(name):
        path.write_text(INI.replace("Desktop", name), encoding="utf-8")

    watching = asyncio.get_running_loop().create_task(source.run())
    yield source, rename
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@asynccontextmanager
async def python(folder):
    """The same, by a program that reads the name of its desktop somewhere."""
    (folder / "mybroker.py").write_text(PYTHON, encoding="utf-8")
    (folder / "name").write_text("Desktop")
    yield PythonFile(path=folder / "mybroker.py"), (folder / "name").write_text


@pytest.fixture(params=[inifile, python], ids=lambda make: make.__name__)
async def kit(request, tmp_path):
    async with request.param(tmp_path) as kit:
        yield kit


@pytest.fixture
def source(kit):
    return kit[0]


@pytest.fixture
def rename(kit):
    return kit[1]


async def visible(source, user):
    return (await source.profiles(user)).visible(user, HERE)


def test_it_fits_the_port(source):
    assert isinstance(source, ProfileSource)


async def test_it_offers_the_good_profiles_sorted_by_their_own_names(source):
    assert [profile.section for profile in await visible(source, ALICE)] == ["Büro", "desktop"]


async def test_the_access_lists_of_a_profile_count(source):
    assert not await visible(source, BOB)


async def test_a_name_that_no_client_can_send_back_has_an_id_beside_it(source):
    catalogue = await source.profiles(ALICE)
    by_section = catalogue.find("Büro", ALICE, HERE)
    assert by_section is catalogue.find("Buro-59cddd17", ALICE, HERE)
    assert by_section.id == "Buro-59cddd17"


async def test_values_are_in_their_types_and_completed(source):
    desktop = (await visible(source, ALICE))[1]
    wanted = {"name": "Desktop", "command": "KDE", "rootless": False, "width": 800, "sound": True}
    assert desktop.options.items() >= wanted.items()
    assert "host" not in desktop.options


async def test_a_profile_leads_to_its_servers_and_they_become_known(source):
    for profile in await visible(source, ALICE):
        (server,) = await source.servers(profile, ALICE)
        assert (server.name, server.port) == ("ts1", 2222)
        assert isinstance(server, Server) and server in source.known_servers()


async def test_the_catalogue_is_the_same_until_something_changes(source, rename):
    before = await source.profiles(ALICE)
    assert await source.profiles(ALICE) is before
    rename("Workplace")
    async with asyncio.timeout(5):
        while (after := await source.profiles(ALICE)) is before:
            await asyncio.sleep(0.01)
    assert after.profiles[1].name == "Workplace"
    assert await source.profiles(ALICE) is after


async def test_many_may_ask_at_once(source):
    answers = await asyncio.gather(*(visible(source, ALICE) for _ in range(20)))
    assert all([p.id for p in answer] == [p.id for p in answers[0]] for answer in answers)
