"""The text protocol over SSH: who has logged in is who asks, and a refusal is no output."""

from __future__ import annotations

import pytest

from usher.errors import AuthFailed, BadRequest
from usher.model import Reply, Task, User, Vouched, client_at
from usher.wire import plain
from usher.wire.ssh import Ssh

HERE = client_at("192.0.2.7")
ALICE = Ssh("alice", ("ALICE",))


@pytest.mark.parametrize("form", [b"", b"user=", b"user=alice", b"user=ALICE&authid=a1"])
def test_whoever_has_logged_in_is_who_asks(form: bytes):
    request = ALICE.read(form + b"&task=selectsession&sid=desktop", HERE)
    assert request.credential == Vouched("alice")
    assert (request.task, request.profile_id, request.client) == (Task.SELECT, "desktop", HERE)


@pytest.mark.parametrize("name", ["bob", "Alice", "root"])
def test_nobody_asks_for_somebody_else(name: str):
    with pytest.raises(AuthFailed, match=r"^Log in to the broker as .+\.$") as refusal:
        ALICE.read(f"user={name}&task=listsessions".encode(), HERE)
    assert "'alice'" in refusal.value.detail
    assert repr(name) in refusal.value.detail


def test_a_field_sent_twice_is_refused_as_over_http():
    with pytest.raises(BadRequest):
        ALICE.read(b"user=alice&user=alice", HERE)


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.TEST])
def test_answers_are_those_of_http(task: Task):
    reply = Reply(task, User("alice"))
    assert ALICE.write(reply) == plain.write(reply)


def test_a_test_is_answered_with_a_server_too_or_the_client_would_crash():
    test = Reply(Task.TEST)
    body = ALICE.write(test).body
    assert body.startswith(plain.write(test).body)
    assert body.rsplit(b"\n", 2)[1].startswith(b"SERVER:no-server-available-please-try-later.")


@pytest.mark.parametrize("task", Task)
def test_a_refusal_is_a_sentence_for_standard_error(task: Task):
    answer = ALICE.refuse(task, AuthFailed())
    assert (answer.body, answer.status) == (b"Login failed.\n", 403)


@pytest.mark.parametrize("task", [Task.SELECT, Task.SET_PASSWORD, Task.EVENT])
def test_what_breaks_keeps_the_window_open_where_it_can(task: Task):
    assert ALICE.fail(task, "1a2b") == plain.fail(task, "1a2b")


@pytest.mark.parametrize("task", [Task.LOGIN, Task.LIST, Task.TEST])
def test_what_breaks_else_is_a_sentence_for_standard_error(task: Task):
    answer = ALICE.fail(task, "1a2b")
    assert b"1a2b" in answer.body
    assert answer.status == 500
