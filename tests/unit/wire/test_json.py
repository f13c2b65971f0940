"""Dialogues with python-x2go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.errors import AuthFailed, BadRequest, BrokerError, NoServer
from usher.model import AuthId, Option, Profile, Reply, Selection, Server, Task, User
from usher.options import EXPLICIT_IN_JSON, KEYS, Missing
from usher.wire import json

ALICE = User("alice")
ID = AuthId("0123abcd")
SERVERS = (Server("ts1", "192.0.2.11"), Server("ts6", "2001:db8::6", 2222))


def body(reply: Reply) -> Any:
    answer = json.write(reply)
    assert (answer.status, answer.content_type) == (200, "text/json; charset=utf-8")
    return msgspec.json.decode(answer.body)


def listed(options: Mapping[str, Option], *more: Profile) -> Any:
    profiles = (Profile("alpha", SERVERS, options), *more)
    return body(Reply(Task.LIST, ALICE, ID, profiles))["profiles"]


def test_a_login_is_told_so_and_gets_a_fresh_authid() -> None:
    assert body(Reply(Task.LOGIN, ALICE, ID)) == {
        "auth-status": "OK",
        "task": "",
        "next-authid": "0123abcd",
    }


def test_a_bare_profile_says_what_x2goclient_would_assume() -> None:
    assert body(Reply(Task.LIST, ALICE, ID, (Profile("alpha", SERVERS, {}),))) == {
        "task": "listprofiles",
        "next-authid": "0123abcd",
        "mutable_profile_ids": [],
        "profiles": {
            "alpha": {
                "autologin": False,
                "command": "KDE",
                "dpi": 96,
                "export": {},
                "host": ["ts1", "ts6"],
                "name": "alpha",
                "print": True,
                "rdpoptions": "",
                "rootless": False,
                "setdpi": False,
                "sound": True,
                "sshproxyautologin": False,
                "sshproxyhost": "",
                "startsoundsystem": True,
                "type": "auto",
                "user": "",
            }
        },
    }


def test_every_key_that_the_clients_assume_differently_is_always_there() -> None:
    assert set(listed({})["alpha"]) == set(EXPLICIT_IN_JSON)


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        ("sound", False, False),
        ("speed", 4, 4),
        ("command", "XFCE", "XFCE"),
        ("name", "Büro €", "Büro €"),
        ("user", "bob", "bob"),
        ("user", "BROKER_USER", "alice"),
        ("applications", ("OFFICE", "TERMINAL"), ["OFFICE", "TERMINAL"]),
        ("applications", (), []),
        ("export", "/home:1;/tmp:0;", {"/home": True, "/tmp": False}),
        ("export", r"C:\work#1;", {r"C:\work": True}),
        ("export", "/home;:1", {"": True}),
        ("layout", "half a pair \ud800", "half a pair ?"),
    ],
)
def test_a_value_goes_out_in_the_type_python_x2go_expects(
    key: str, value: Option, sent: object
) -> None:
    assert listed({key: value})["alpha"][key] == sent


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key.name, "") for key in KEYS.values() if key.python_x2go is Missing.NO),
        ("newfangled", "yes"),
        ("broker-secret", "x"),
    ],
)
def test_a_key_that_python_x2go_does_not_know_stays_here(key: str, value: Option) -> None:
    assert key not in listed({key: value})["alpha"]


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [("sound", "no", True), ("dpi", "many", 96), ("dpi", True, 96), ("command", 7, "KDE")],
)
def test_a_value_of_another_type_gives_way_to_the_default(
    key: str, value: Option, sent: Option
) -> None:
    assert listed({key: value})["alpha"][key] == sent


def test_no_two_profiles_share_a_name() -> None:
    same = [Profile(id, (), {"name": "Office"}) for id in ("beta", "gamma")]
    taken = Profile("delta", (), {"name": "Office (2)"})
    profiles = listed({"name": "Office"}, *same, taken)
    names = {id: profile["name"] for id, profile in profiles.items()}
    assert names == {
        "alpha": "Office",
        "beta": "Office (2)",
        "gamma": "Office (3)",
        "delta": "Office (2) (2)",
    }


def test_who_sees_no_profile_gets_none() -> None:
    assert body(Reply(Task.LIST, ALICE, ID))["profiles"] == {}


@pytest.mark.parametrize("server", SERVERS)
def test_a_selection_names_the_profile_the_address_and_the_port(server: Server) -> None:
    reply = Reply(Task.SELECT, ALICE, ID, selection=Selection(server), profile_id="alpha")
    assert body(reply) == {
        "task": "selectsession",
        "next-authid": "0123abcd",
        "profile_id": "alpha",
        "selected_session": {"server": server.address, "port": server.port},
    }


def test_a_selection_that_fails_leads_nowhere_and_keeps_the_login() -> None:
    reply = body(Reply(Task.SELECT, ALICE, ID, unavailable=NoServer(), profile_id="alpha"))
    assert reply["next-authid"] == "0123abcd"
    assert reply["selected_session"] == {
        "server": "no-server-available-please-try-later.invalid",
        "port": 22,
    }


@pytest.mark.parametrize(
    ("reply", "more"),
    [
        (Reply(Task.TEST), {}),
        (Reply(Task.EVENT, ALICE), {}),
        (Reply(Task.SET_PASSWORD, ALICE), {"password-changed": True, "reason": ""}),
        (
            Reply(Task.SET_PASSWORD, ALICE, password_refused="Too short."),
            {"password-changed": False, "reason": "Too short."},
        ),
    ],
)
def test_tasks_of_other_clients_get_a_small_object(reply: Reply, more: dict[str, object]) -> None:
    assert body(reply) == {"task": reply.task.value, **more}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [(AuthFailed(detail="no such user"), 401, "auth"), (BadRequest(), 400, "bad-request")],
)
def test_a_refusal_speaks_http(error: BrokerError, status: int, reason: str) -> None:
    answer = json.refuse(Task.LIST, error)
    assert answer.status == status
    assert msgspec.json.decode(answer.body) == {"auth-status": str(error), "error": reason}


def test_a_bug_shows_its_incident_number_and_nothing_else() -> None:
    answer = json.fail(Task.LIST, "4711")
    assert answer.status == 500
    assert msgspec.json.decode(answer.body) == {"error": "bug", "incident": "4711"}


OPTIONS = st.one_of(
    st.text(st.characters()), st.integers(-9, 99), st.booleans(), st.lists(st.text()).map(tuple)
)


@given(st.dictionaries(st.one_of(st.sampled_from(sorted(KEYS)), st.text()), OPTIONS))
def test_whatever_a_profile_holds_python_x2go_gets_its_own_types(
    options: dict[str, Option],
) -> None:
    for key, value in listed(options)["alpha"].items():
        expected = {bool: bool, int: int, tuple: list, str: str}
        default = KEYS[key].python_x2go
        kind = dict if key == "export" else expected.get(type(default), str)
        assert type(value) is kind
