"""What is read from a form, and what is not."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.errors import BadRequest
from usher.model import Event, Task, client_at
from usher.wire.form import MAX_FIELDS, read_form, read_request

CLIENT = client_at("192.0.2.1")


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"user=alice&password=", {"user": "alice", "password": ""}),
        (b"user=alice&", {"user": "alice"}),
        (b"user", {"user": ""}),
        (b"authid=a=b=", {"authid": "a=b="}),
        (b"user=J%C3%BCrgen", {"user": "Jürgen"}),
        ("user=Jürgen".encode(), {"user": "Jürgen"}),
        (b"password=a+b%2Bc%20d%26%3D", {"password": "a b+c d&="}),
        (b"password=100%&sid=%zz", {"password": "100%", "sid": "%zz"}),
        (b"%75ser=alice", {"user": "alice"}),
    ],
)
def test_a_form_is_read_as_clients_write_it(body: bytes, form: dict[str, str]) -> None:
    assert read_form(body) == form


@pytest.mark.parametrize(
    "body",
    [
        b"user=alice&user=root",
        b"user=alice&%75ser=root",
        b"sid=p&user=evil&user=alice",
        b"user=%ff",
        b"user=\xc3",
        b"user=" + b"a" * 257,
        b"login=" + b"a" * 257,
        b"password=" + b"a" * 4097,
        b"newpass=" + b"a" * 4097,
        b"authid=" + b"a" * 4097,
        b"sid=" + b"a" * 1025,
        b"profile-id=" + b"a" * 1025,
        b"pubkey=" + b"a" * 16385,
        b"cmd=" + b"a" * 1025,
        b"whatever=" + b"a" * 1025,
        b"a" * 1025 + b"=1",
        b"user=al%00ice",
        b"user=alice%0A",
        b"login=%7f",
        b"sid=a\nb",
        b"profile-id=%1b",
        b"&".join(b"%d=" % number for number in range(MAX_FIELDS + 1)),
    ],
)
def test_a_form_that_nobody_honest_sends_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_form(body)
    assert str(refusal.value) == BadRequest.message
    assert refusal.value.detail


@pytest.mark.parametrize(
    ("name", "limit"),
    [("user", 256), ("password", 4096), ("authid", 4096), ("sid", 1024), ("pubkey", 16384)],
)
def test_a_field_may_be_as_long_as_its_limit(name: str, limit: int) -> None:
    assert read_form(f"{name}={'ü' * limit}".encode())[name] == "ü" * limit


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=99), max_size=8))
def test_what_a_library_writes_reads_back_or_is_refused(form: dict[str, str]) -> None:
    try:
        assert read_form(urlencode(form).encode()) == form
    except BadRequest as refusal:
        assert "control character" in refusal.detail


@given(st.binary())
def test_arbitrary_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(BadRequest):
        read_request(body, CLIENT)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("listsessions", Task.LIST),
        ("listprofiles", Task.LIST),
        ("selectsession", Task.SELECT),
        ("testcon", Task.TEST),
        ("setpass", Task.SET_PASSWORD),
        ("clientevent", Task.EVENT),
        ("", Task.LOGIN),
        ("none", Task.LOGIN),
        ("LISTSESSIONS", Task.LOGIN),
        ("__class__", Task.LOGIN),
    ],
)
def test_a_task_has_the_name_that_clients_give_it(name: str, task: Task) -> None:
    assert read_request(f"task={name}&user=alice".encode(), CLIENT).task is task


def test_a_form_without_a_task_is_a_login() -> None:
    assert read_request(b"user=alice&password=secret", CLIENT).task is Task.LOGIN


def test_the_user_loses_blanks_at_its_edges_and_the_password_keeps_them() -> None:
    credential = read_request(b"user=+alice%20&password=+secret+", CLIENT).credential
    assert (credential.username, credential.password) == ("alice", " secret ")  # type: ignore[union-attr]


@pytest.mark.parametrize("field", ["sid", "profile-id"])
def test_a_selection_names_its_profile_in_either_clients_way(field: str) -> None:
    body = f"task=selectsession&{field}=alpha&user=alice&login=bob&pubkey=ssh-rsa+A".encode()
    request = read_request(body, CLIENT)
    assert (request.profile_id, request.login, request.public_key) == ("alpha", "bob", "ssh-rsa A")


def test_an_event_keeps_its_fields_word_for_word_and_names_no_profile() -> None:
    request = read_request(
        b"task=clientevent&user=alice&password=secret&sid=alice-51-1795374147_stRxterm_dp24"
        b"&event=ALIVE&server=h1&client=&login=bob&cmd=xterm&display=51"
        b"&start=2026-11-22T19%3A02%3A29&elapsed=3&version=4.1.2.4&os=linux&authid=ab",
        CLIENT,
    )
    assert (request.profile_id, request.login) == ("", "")
    assert request.event == Event(
        {
            "event": "ALIVE",
            "sid": "alice-51-1795374147_stRxterm_dp24",
            "server": "h1",
            "client": "",
            "login": "bob",
            "cmd": "xterm",
            "display": "51",
            "start": "2026-11-22T19:02:29",
            "elapsed": "3",
            "version": "4.1.2.4",
            "os": "linux",
        }
    )


def test_secrets_do_not_print() -> None:
    request = read_request(b"task=setpass&user=a&password=s3cret&newpass=n3w&authid=t0ken", CLIENT)
    assert request.new_password == "n3w"
    assert not [secret for secret in ("s3cret", "n3w", "t0ken") if secret in repr(request)]
