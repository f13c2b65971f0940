"""The groups of the operating system, and how their answers are remembered."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import threading

import pytest

from usher.directory import nss
from usher.directory.nss import Nss, Recent
from usher.model import User


class System:
    """A slow name service that counts the questions and answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.error: OSError | None = None

    def __call__(self, username: str) -> User:
        self.asked.append(username)
        assert self.free.wait(10)
        if self.error:
            raise self.error
        return User(username, frozenset({f"group {len(self.asked)}"}))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def system():
    system = System()
    yield system
    system.free.set()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recent(system, clock):
    return Recent(system, seconds=60, size=3, clock=clock)


@pytest.mark.parametrize("cache", [0, 60])
async def test_the_system_is_asked_for_the_groups_that_a_login_there_would_have(cache):
    directory = Nss(ignore_primary_group=False, cache=cache)
    account = await directory.user("daemon")
    assert account == User("daemon", frozenset({"daemon"}))


@pytest.mark.parametrize(
    ("members", "ignored", "groups"),
    [
        ([], True, {"bees"}),
        (["maja"], True, {"bees", "maja"}),
        ([], False, {"bees", "maja"}),
        (["willi"], True, {"bees"}),
    ],
)
def test_the_primary_group_counts_when_wanted_or_when_it_lists_the_user(
    monkeypatch, members, ignored, groups
):
    """Group 12 has no name: it cannot stand in any list."""
    named = {10: ("maja", members), 11: ("bees", ["maja"])}
    monkeypatch.setattr(nss.pwd, "getpwnam", lambda name: Account(name, 10))
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, 11, 12])
    monkeypatch.setattr(nss.grp, "getgrgid", lambda gid: group(gid, *named[gid]))
    user = nss.look_up_user("maja", ignore_primary_group=ignored)
    assert user == User("maja", frozenset(groups))


async def test_a_second_question_is_answered_from_memory(recent, system, clock):
    first = await recent.user("maja")
    clock.now = 59.9
    assert await recent.user("maja") is first
    clock.now = 60.1
    assert await recent.user("maja") == User("maja", frozenset({"group 2"}))


async def test_a_hundred_questions_at_once_about_one_user_are_one(recent, system):
    users = await asyncio.gather(*(recent.user("maja") for _ in range(100)))
    assert len(set(users)) == 1
    assert system.asked == ["maja"]


async def test_who_gives_up_waiting_does_not_cost_the_others_their_answer(recent, system):
    system.free.clear()
    async with asyncio.TaskGroup() as group:
        impatient = group.create_task(recent.user("maja"))
        patient = group.create_task(recent.user("maja"))
        while not system.asked:
            await asyncio.sleep(0)
        impatient.cancel()
        system.free.set()
    assert patient.result() == User("maja", frozenset({"group 1"}))


async def test_an_error_reaches_everybody_who_waits_and_is_not_remembered(recent, system):
    system.error = OSError("the name service is down")
    failed = await asyncio.gather(recent.user("maja"), recent.user("maja"), return_exceptions=True)
    assert failed == [system.error] * 2
    system.error = None
    assert (await recent.user("maja")).groups


async def test_an_old_answer_does_not_outlive_an_error(recent, system, clock):
    await recent.user("maja")
    clock.now, system.error = 61, OSError("the name service is down")
    with pytest.raises(OSError, match="down"):
        await recent.user("maja")


async def test_no_more_answers_are_remembered_than_fit_and_the_oldest_goes_first(recent, system):
    for name in "abcd":
        await recent.user(name)
    for name in "dcb":
        await recent.user(name)
    assert system.asked == list("abcd")
    await recent.user("a")
    assert system.asked == list("abcda")


def test_a_negative_time_to_remember_is_refused():
    with pytest.raises(ValueError, match="cache must be 0 or more"):
        Nss(cache=-1)


class Account:
    def __init__(self, name: str, gid: int) -> None:
        self.pw_name = name
        self.pw_gid = gid


def group(gid: int, name: str, members: list[str]) -> grp.struct_group:
    return grp.struct_group((name, "x", gid, members))


def test_a_name_service_that_does_not_mind_capitals_names_one_person(
    monkeypatch: pytest.MonkeyPatch,
):
    root = pwd.getpwnam("root")
    monkeypatch.setattr(nss.pwd, "getpwnam", lambda name: root)
    assert nss.look_up_user("Root", ignore_primary_group=True).name == "root"
    assert nss.look_up_user("toor", ignore_primary_group=True).name == "toor"
