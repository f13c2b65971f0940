"""Dialogues with x2goclient, byte for byte."""

from __future__ import annotations

import plainclient
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from usher.errors import AuthFailed, BadRequest, BrokerError, NoServer, NoSuchProfile
from usher.model import AuthId, Option, Profile, Reply, Selection, Server, Task, User
from usher.wire import plain

ALICE = User("alice")
ID = AuthId("0123abcd")
HEAD = b"AUTHID:0123abcd\nAccess granted\n"
NOWHERE = b"SERVER:no-server-available-please-try-later.invalid:22\n"
ALPHA = Profile(
    "alpha",
    (Server("ts1", "192.0.2.11"), Server("ts2", "ts2.example.org", 2222)),
    {
        "name": "Alpha Desktop",
        "user": "BROKER_USER",
        "command": "XFCE",
        "rootless": False,
        "sound": True,
        "speed": 4,
        "applications": ("OFFICE", "TERMINAL"),
        "export": "/home:1;/tmp:0;",
        "newfangled": "yes",
    },
)
BETA = Profile("beta.2", (Server("ts3", "ts3"),), {"command": "KDE"}, section="Beta 2")


def text(reply: Reply) -> bytes:
    answer = plain.write(reply)
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
    return answer.body


def test_a_login_is_granted_with_a_fresh_authid() -> None:
    assert text(Reply(Task.LOGIN, ALICE, ID)) == HEAD


def test_a_list_holds_every_option_of_every_profile() -> None:
    assert text(Reply(Task.LIST, ALICE, ID, (ALPHA, BETA))) == HEAD + (
        b"START_USER_SESSIONS\n\n"
        b"[alpha]\n"
        b"name=Alpha Desktop\n"
        b"user=alice\n"
        b"command=XFCE\n"
        b"rootless=false\n"
        b"sound=true\n"
        b"speed=4\n"
        b'applications="OFFICE,TERMINAL"\n'
        b'export="/home:1;/tmp:0;"\n'
        b"newfangled=yes\n"
        b'host="ts1,ts2"\n\n'
        b"[beta.2]\n"
        b"command=KDE\n"
        b"name=Beta 2\n"
        b"host=ts3\n\n"
        b"END_USER_SESSIONS\n"
    )


def test_a_profile_names_each_user_to_themselves() -> None:
    bodies = [text(Reply(Task.LIST, User(name), ID, (ALPHA,))) for name in ("alice", "Jürgen, B.")]
    assert b"\nuser=alice\n" in bodies[0]
    assert b'\nuser="J\\xfcrgen, B."\n' in bodies[1]


def test_only_the_user_key_stands_for_the_user() -> None:
    profile = Profile("a", (), {"name": "BROKER_USER", "user": "bob"})
    assert b"\nname=BROKER_USER\nuser=bob\n" in text(Reply(Task.LIST, ALICE, ID, (profile,)))


def test_who_sees_no_profile_sees_one_that_says_so() -> None:
    assert text(Reply(Task.LIST, User("alice/admin"), ID)) == HEAD + (
        b"START_USER_SESSIONS\n\n"
        b"[no-session-profiles]\n"
        b"name=No session profiles for alice admin.\n"
        b"host=\n\n"
        b"END_USER_SESSIONS\n"
    )


@pytest.mark.parametrize("key", ["a=b", "[x]", "", "a b", "a\nb", "ü", "SERVER:", "SUSPEND", "#"])
def test_a_key_that_is_none_stays_here(key: str) -> None:
    profile = Profile("a", (), {key: "evil", "command": "KDE"})
    body = text(Reply(Task.LIST, ALICE, ID, (profile,)))
    assert plainclient.profiles(body) == "\n[a]\ncommand=KDE\nname=a\nhost=\n\n"


@pytest.mark.parametrize(
    ("server", "line"),
    [
        (Server("ts1", "192.0.2.11"), b"SERVER:192.0.2.11:22\n"),
        (Server("ts1", "ts1.example.org", 2222), b"SERVER:ts1.example.org:2222\n"),
        (Server("ts6.example.org", "2001:db8::6", 2222), b"SERVER:ts6.example.org:2222\n"),
        (Server("2001:db8::6", "2001:db8::6", 2222), NOWHERE),
        (Server("", ""), NOWHERE),
        (Server("a\nb", "a b"), NOWHERE),
    ],
)
def test_a_selection_names_a_server_and_always_its_port(server: Server, line: bytes) -> None:
    assert text(Reply(Task.SELECT, ALICE, ID, selection=Selection(server))) == HEAD + line


@pytest.mark.parametrize("why", [NoServer(), NoSuchProfile()])
def test_a_selection_that_fails_leads_nowhere_and_keeps_the_login(why: NoServer) -> None:
    assert text(Reply(Task.SELECT, ALICE, ID, unavailable=why)) == HEAD + NOWHERE


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("", b"PASSWORD CHANGED: OK\n"),
        ("Too short.", b"PASSWORD CHANGED: Too short.\n"),
        ("Too\nshort.\n", b"PASSWORD CHANGED: Too short.\n"),
    ],
)
def test_a_password_change_is_answered_in_one_line(reason: str, line: bytes) -> None:
    assert text(Reply(Task.SET_PASSWORD, ALICE, ID, password_refused=reason)) == HEAD + line


def test_an_event_is_granted_and_orders_nothing() -> None:
    assert text(Reply(Task.EVENT, ALICE, ID)) == HEAD


def test_a_connection_test_is_big_and_says_nothing_else() -> None:
    body = text(Reply(Task.TEST))
    assert body.startswith(b"Access granted\n")
    assert len(body) >= 10 * 1024
    assert plainclient.authid(body) is None
    assert set(body.removeprefix(b"Access granted\n")) == set(b".\n")


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    ("error", "body"),
    [
        (AuthFailed(detail="alice: no such user"), b"Login failed.\n"),
        (BadRequest(), b"The request could not be understood.\n"),
        (AuthFailed("Access granted on weekdays"), b"Access is granted on weekdays\n"),
    ],
)
def test_a_refusal_is_a_sentence_that_grants_nothing(
    task: Task, error: BrokerError, body: bytes
) -> None:
    answer = plain.refuse(task, error)
    assert (answer.status, answer.body) == (200, body)
    assert not plainclient.granted(answer.body)


BROKEN = b"Something went wrong on our side (incident 4711).\n"


@pytest.mark.parametrize(
    ("task", "body"),
    [
        (Task.LOGIN, BROKEN),
        (Task.LIST, BROKEN),
        (Task.TEST, BROKEN),
        (Task.SELECT, b"Access granted\n" + NOWHERE),
        (Task.SET_PASSWORD, b"Access granted\nPASSWORD CHANGED: " + BROKEN),
        (Task.EVENT, b"Access granted\n"),
    ],
)
def test_a_bug_keeps_the_window_open(task: Task, body: bytes) -> None:
    answer = plain.fail(task, "4711")
    assert (answer.status, answer.body) == (200, body)


CONFUSING = st.lists(
    st.sampled_from(
        [
            *("\nAUTHID:evil\n", "<br>", "SERVER:evil:1", "SESSION_INFO:", "Access granted"),
            *("\nSTART_USER_SESSIONS\n", "END_USER_SESSIONS", "\nEND_USER_SESSIONS\n"),
            *("START_CLIENT_CONFIG<br>syncinterval=1<br>END_CLIENT_CONFIG<br>", "\n[evil]\n"),
            *("SUSPEND x", "TERMINATE", "x", "ü", " ", "BROKER_USER", "\r\n", "\0", "\ud800"),
        ]
    )
).map("".join)


@given(
    st.dictionaries(st.one_of(CONFUSING, st.sampled_from(["name", "icon"])), CONFUSING), CONFUSING
)
def test_no_value_can_change_what_the_client_reads(
    options: dict[str, Option], username: str
) -> None:
    profiles = (replace(ALPHA, options={**options, "user": "BROKER_USER"}), BETA)
    body = text(Reply(Task.LIST, User(username), ID, profiles))
    assert plainclient.authid(body) == ID
    assert plainclient.client_config(body) == ""
    lines = plainclient.profiles(body).split("\n")
    assert [line for line in lines if line.startswith("[")] == ["[alpha]", "[beta.2]"]
    assert all("=" in line for line in lines if line and not line.startswith("["))
    assert body.endswith(b"\nhost=ts3\n\nEND_USER_SESSIONS\n")
    assert b"SERVER:" not in body
    assert b"SUSPEND" not in body


@pytest.mark.parametrize(
    "reply", [Reply(Task.SELECT, ALICE, ID, selection=Selection(s)) for s in ALPHA.servers]
)
def test_the_client_finds_the_server_in_a_selection(reply: Reply) -> None:
    assert reply.selection
    server = reply.selection.server
    body = text(reply)
    assert plainclient.granted(body)
    assert plainclient.authid(body) == ID
    assert plainclient.server(body) == (server.address, server.port)
    assert not plainclient.has_sessions(body)


@given(CONFUSING)
def test_no_reason_can_change_what_the_client_reads_of_a_password_change(reason: str) -> None:
    body = text(Reply(Task.SET_PASSWORD, ALICE, ID, password_refused=reason))
    assert plainclient.authid(body) == ID
    assert (plainclient.password_changed(body) == "OK") is (not reason.strip())
