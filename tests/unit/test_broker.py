"""The broker's whole job, with fakes for the world around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from office import DESKTOP, EMPTY, HERE, LIFETIME, ONE, STAFF, THERE, TWO, WITH_LOGIN, Office

from usher import broker
from usher.access import Catalogue
from usher.errors import AuthFailed, NoServer, NoSuchProfile
from usher.model import (
    Credential,
    Event,
    Reply,
    Request,
    Task,
    Vouched,
)
from usher.placing import Placer


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_test_needs_no_login_and_brings_no_authid(office: Office):
    reply = await office.broker.handle(Request(Task.TEST, Credential(""), HERE))
    assert reply == Reply(Task.TEST)
    assert office.authenticator.asked == []


@pytest.mark.parametrize("task", WITH_LOGIN)
async def test_every_other_task_needs_a_login(office: Office, task: Task):
    with pytest.raises(AuthFailed):
        await office.broker.handle(Request(task, Credential("alice", "wrong"), HERE))


@pytest.mark.parametrize("task", WITH_LOGIN)
async def test_every_answer_to_a_login_brings_an_authid_that_counts(office: Office, task: Task):
    reply = await office.ask(task, profile_id="desktop")
    assert (await office.come_back(reply.authid)).authid not in (None, reply.authid)


async def test_a_user_is_listed_what_they_may_see(office: Office):
    assert (await office.ask(Task.LIST)).profiles == (DESKTOP, STAFF, EMPTY)
    assert (await office.ask(Task.LIST, "bob")).profiles == (DESKTOP, EMPTY)


@pytest.mark.parametrize("name", ["desktop", "My Desktop"])
async def test_a_profile_is_selected_by_either_of_its_names(office: Office, name: str):
    reply = await office.ask(Task.SELECT, profile_id=name)
    assert reply.selection and reply.selection.server == ONE
    assert reply.profile_id == name


@pytest.mark.parametrize("name", ["staff", "unknown", "", "../desktop"])
async def test_a_profile_that_is_hidden_is_as_unknown_as_any_other(office: Office, name: str):
    reply = await office.ask(Task.SELECT, "bob", profile_id=name)
    assert isinstance(reply.unavailable, NoSuchProfile)
    assert reply.selection is None
    assert str(reply.unavailable) == str(NoSuchProfile())


async def test_a_server_that_is_down_gets_nobody(office: Office):
    office.farm.silent(ONE)
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and reply.selection.server == TWO


async def _all_down(office: Office) -> Reply:
    office.farm.silent(ONE)
    office.farm.silent(TWO)
    return await office.ask(Task.SELECT, profile_id="desktop")


async def _no_servers(office: Office) -> Reply:
    return await office.ask(Task.SELECT, profile_id="empty")


@pytest.mark.parametrize("misfortune", [_all_down, _no_servers])
async def test_without_a_server_the_login_still_holds(office: Office, misfortune: Callable):
    reply = await misfortune(office)
    assert isinstance(reply.unavailable, NoServer)
    assert (await office.come_back(reply.authid)).user == reply.user


async def test_a_selection_promises_a_place(office: Office):
    await office.ask(Task.SELECT, profile_id="desktop")
    assert [candidate.leases for candidate in office.farm.candidates([ONE, TWO])] == [1, 0]


async def test_a_password_cannot_be_changed_and_the_login_holds(office: Office):
    reply = await office.ask(Task.SET_PASSWORD, new_password="new")
    assert "cannot change" in reply.password_refused
    assert reply.authid


async def test_an_authid_keeps_the_time_of_the_login_it_began_with(office: Office):
    authid = (await office.ask()).authid
    for _ in range(9):
        office.clock.now += LIFETIME / 10
        authid = (await office.come_back(authid)).authid
    office.clock.now += LIFETIME / 10
    with pytest.raises(AuthFailed):
        await office.come_back(authid)


async def test_groups_are_looked_up_anew_when_an_authid_comes_back(office: Office):
    authid = (await office.ask(Task.LIST)).authid
    reply = await office.come_back(authid, task=Task.LIST)
    assert reply.profiles == (DESKTOP, STAFF, EMPTY)


async def test_the_right_password_beats_any_authid(office: Office):
    bobs = (await office.ask(user="bob")).authid or ""
    for authid in (bobs, "nonsense", "00" * 50):
        request = Request(Task.LOGIN, Credential("alice", "wonder", authid), HERE)
        assert (await office.broker.handle(request)).authid


async def test_only_an_authid_that_is_not_ours_is_shown_to_the_authenticator(office: Office):
    bobs = (await office.ask(user="bob")).authid or ""
    for authid in (bobs, "theirs"):
        request = Request(Task.LOGIN, Credential("alice", "wonder", authid), HERE)
        await office.broker.handle(request)
    assert [asked.authid for asked in office.authenticator.asked] == ["", "", "theirs"]


async def test_an_event_is_taken_with_an_authid_that_has_expired_or_was_revoked(office: Office):
    authid = (await office.ask()).authid
    event = {"task": Task.EVENT, "event": Event({"event": "suspended"})}
    office.clock.now += 10 * LIFETIME
    assert (await office.come_back(authid, **event)).user
    office.revoked["alice"] = office.clock.now
    assert (await office.come_back(authid, **event)).user


@pytest.mark.parametrize("more", [{"user": "bob"}, {"client": THERE}])
async def test_an_event_is_not_taken_with_somebody_elses_authid(office: Office, more: dict):
    authid = (await office.ask()).authid
    with pytest.raises(AuthFailed):
        await office.come_back(authid, task=Task.EVENT, **more)


async def test_an_event_renews_no_authid_beyond_its_time(office: Office):
    authid = (await office.ask()).authid
    office.clock.now += 10 * LIFETIME
    renewed = (await office.come_back(authid, task=Task.EVENT)).authid
    with pytest.raises(AuthFailed):
        await office.come_back(renewed)


async def test_whom_the_transport_vouches_for_needs_no_password(office: Office):
    reply = await office.broker.handle(Request(Task.LIST, Vouched("alice"), HERE))
    assert reply.profiles == (DESKTOP, STAFF, EMPTY)
    assert office.authenticator.asked == []


async def test_a_login_that_the_transport_has_proved_lasts_no_longer_than_any(office: Office):
    vouched = Vouched("alice", since=office.clock())
    again, event = (Request(task, vouched, HERE) for task in (Task.LIST, Task.EVENT))
    assert (await office.broker.handle(again)).profiles
    office.clock.now += LIFETIME
    with pytest.raises(AuthFailed, match="Your login has ended"):
        await office.broker.handle(again)
    assert await office.broker.handle(event)


async def test_what_cannot_be_told_is_no_refusal(office: Office):
    office.authenticator.broken = True
    with pytest.raises(RuntimeError):
        await office.ask()
    assert [(decision.user, decision.outcome) for decision in office.heard] == [("alice", "bug")]


async def test_every_decision_is_heard_of(office: Office):
    await office.ask(Task.SELECT, profile_id="desktop")
    await office.ask(Task.SELECT, "bob", profile_id="staff")
    with pytest.raises(AuthFailed):
        await office.broker.handle(Request(Task.LIST, Credential("eve", "x"), THERE))
    heard = [(d.task, d.user, d.client, d.outcome, d.profile, d.server) for d in office.heard]
    assert heard == [
        ("selectsession", "alice", "192.0.2.1", "granted", "desktop", "ts1"),
        ("selectsession", "bob", "192.0.2.1", "profile", "staff", ""),
        ("listsessions", "eve", "192.0.2.2", "auth", "", ""),
    ]


async def test_a_profile_that_wants_none_has_no_key(office: Office):
    office.autologin()
    office.profiles.catalogue = Catalogue([DESKTOP])
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and not reply.selection.private_key
    assert (len(office.pool), office.agent.authorized) == (5, set())


async def test_a_server_that_is_lost_while_a_key_is_placed_costs_nobody_their_login(office: Office):
    office.autologin("ts1")
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and reply.selection.server == TWO
    assert reply.selection.private_key == "PRIVATE"


async def test_nobody_waits_long_for_servers_that_say_nothing(office: Office, monkeypatch):
    monkeypatch.setattr(broker, "SELECT_SECONDS", 0.1)
    office.autologin()
    office.agent.slow = {"ts1"}
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and reply.selection.server == TWO
    assert reply.selection.private_key == "PRIVATE"
    office.agent.slow = {"ts1", "ts2"}
    async with asyncio.timeout(5):
        reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and not reply.selection.private_key


async def test_a_takeover_takes_none_of_the_time_for_a_key(office: Office, monkeypatch):
    async def take_over(*_: object) -> None:
        await asyncio.sleep(0.2)

    monkeypatch.setattr(broker, "SELECT_SECONDS", 0.1)
    monkeypatch.setattr(Placer, "take_over", take_over)
    office.autologin()
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert reply.selection and reply.selection.private_key == "PRIVATE"


async def test_when_every_server_is_lost_there_is_none(office: Office):
    office.autologin("ts1", "ts2")
    reply = await office.ask(Task.SELECT, profile_id="desktop")
    assert isinstance(reply.unavailable, NoServer)


@pytest.mark.parametrize(("login", "keys"), [("", 1), ("alice", 1), ("bob", 0)])
async def test_a_key_is_for_the_account_that_was_proved_and_nobody_elses(
    office: Office, login: str, keys: int
):
    office.autologin()
    reply = await office.ask(Task.SELECT, profile_id="desktop", login=login)
    assert reply.selection
    assert len(office.agent.authorized) == keys
    assert {grant.username for _, grant in office.agent.authorized} <= {"alice"}
