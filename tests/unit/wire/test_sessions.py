"""How a user's own sessions and one-time keys reach the clients."""

from __future__ import annotations

import json as standard

import pytest
from msgspec.structs import replace

from usher.model import (
    AuthId,
    Profile,
    Reply,
    Resumable,
    Selection,
    Server,
    Session,
    State,
    Task,
    User,
)
from usher.settings import Settings
from usher.wire import json, plain

ALICE = User("alice")
ID = AuthId("0123abcd")
HEAD = "AUTHID:0123abcd\nAccess granted\n"
ONE, TWO = Server("ts1", "192.0.2.1"), Server("ts2", "ts2.example.org")
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
SESSION = Session(
    id="alice-50-1795414336_stDXFCE_dp24",
    user="alice",
    server="ts2",
    state=State.SUSPENDED,
    display=50,
    agent_pid=402,
    client="203.0.113.7",
    cookie="a801225b",
    graphics_port=56110,
    sound_port=56111,
    fs_port=56112,
    started="2026-11-23T06:12:16",
    last="2026-11-23T06:12:18",
    age=3,
)
LINE = (
    "402|alice-50-1795414336_stDXFCE_dp24|50|ts2.example.org|S|2026-11-23T06:12:16|a801225b"
    "|203.0.113.7|56110|56111|2026-11-23T06:12:18|alice|3|56112|alice\n"
)
RUNNING = replace(SESSION, id="alice-51-1795414337_stDXFCE_dp24", state=State.RUNNING)


def selected(selection: Selection) -> str:
    return plain.write(Reply(Task.SELECT, ALICE, ID, selection=selection)).body.decode()


def test_sessions_are_the_last_words_in_fifteen_fields_with_the_address_of_their_server():
    selection = Selection(ONE, sessions=(Resumable(SESSION, TWO),))
    assert selected(selection) == f"{HEAD}SERVER:192.0.2.1:22\nSESSION_INFO:{LINE}"
    assert LINE.count("|") == 14


def test_a_key_stands_between_and_marks_every_host_so_that_no_terminal_is_asked_for():
    selection = Selection(ONE, sessions=(Resumable(SESSION, TWO),), private_key=KEY)
    told = LINE.replace("ts2.example.org", "!ts2.example.org")
    assert selected(selection) == f"{HEAD}SERVER:!192.0.2.1:22\n{KEY}SESSION_INFO:{told}"


def test_the_host_is_marked_for_a_key_of_the_client_as_well():
    assert selected(Selection(ONE, key_accepted=True)) == f"{HEAD}SERVER:!192.0.2.1:22\n"


def test_nothing_that_a_server_says_makes_another_field_or_line():
    nasty = replace(SESSION, cookie="a|b\nSERVER:evil:22")
    body = selected(Selection(ONE, sessions=(Resumable(nasty, TWO),)))
    assert body.endswith(LINE.replace("a801225b", "a_b_SERVER:evil:22"))


def test_a_session_that_no_client_could_reach_is_not_told():
    selection = Selection(ONE, sessions=(Resumable(SESSION, Server("::1", "::1")),))
    assert selected(selection) == f"{HEAD}SERVER:192.0.2.1:22\n"


@pytest.mark.parametrize(
    ("own", "counts", "marks"),
    [
        ((), True, ""),
        ((RUNNING,), False, "status=R\n"),
        ((RUNNING, SESSION), False, "status=S\n"),
        ((RUNNING, SESSION), True, "status=S\nrunning=1\nsuspended=1\n"),
    ],
)
def test_a_profile_is_marked_by_the_sessions_of_its_user(own, counts, marks):
    profile = Profile("a", (ONE,), {}, settings=Settings(session_counts=counts))
    sessions = {"a": own, "b": (SESSION,)}
    reply = Reply(Task.LIST, ALICE, ID, (profile,), sessions=sessions)
    block = f"[a]\nname=a\nhost=ts1\n{marks}\n"
    assert plain.write(reply).body.decode() == (
        f"{HEAD}START_USER_SESSIONS\n\n{block}END_USER_SESSIONS\n"
    )


def test_python_x2go_is_sent_to_the_server_of_its_session_and_looks_for_it_there():
    selection = Selection(ONE, sessions=(Resumable(SESSION, TWO),), key_accepted=True)
    answer = json.write(Reply(Task.SELECT, ALICE, ID, selection=selection, profile_id="a"))
    assert standard.loads(answer.body)["selected_session"] == {
        "server": "ts2.example.org",
        "port": 22,
        "authentication_pubkey": "ACCEPTED",
    }


def test_python_x2go_is_told_no_status_since_it_would_lose_the_profile():
    profile = Profile("a", (ONE,), {})
    reply = Reply(Task.LIST, ALICE, ID, (profile,), sessions={"a": (SESSION,)})
    assert "status" not in standard.loads(json.write(reply).body)["profiles"]["a"]
