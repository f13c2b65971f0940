"""The words that can read themselves."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from usher.errors import AuthFailed
from usher.model import (
    AuthId,
    Credential,
    Question,
    Reply,
    Request,
    Selection,
    Server,
    Session,
    State,
    Task,
    User,
    client_at,
)
from usher.model.discreet import Discreet


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.2.14", "10.0.2.14"),
        ("fe80:0000:0000:0000:0000:0000:0000:0001", "fe80::1"),
        ("FE80:0::1", "fe80::1"),
        ("::ffff:10.0.2.14", "10.0.2.14"),
    ],
)
def test_an_address_is_read_whatever_way_it_is_written(text, address):
    assert client_at(text).address == ip_address(address)


@pytest.mark.parametrize(
    "text", ["123.456.789.101", "10.0.2", "fe80::1::1", "fe80::12345", "host1", ""]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        client_at(text)


async def heard(question: Question) -> str:
    return f"{question.text} {question.echo}"


async def test_a_question_goes_to_whoever_logs_in_and_brings_their_answer():
    credential = Credential("alice", ask=heard)
    assert await credential.answer_to(Question("PIN?")) == "PIN? False"
    assert await credential.answer_to(Question("City?", echo=True)) == "City? True"


async def test_who_cannot_be_asked_is_refused_and_the_log_knows_what_was_to_be_asked():
    with pytest.raises(AuthFailed, match="which can only be asked over SSH") as refusal:
        await Credential("alice", "wonder").answer_to(Question("PIN?"))
    assert "PIN?" in refusal.value.detail


SERVER = Server("ts1", "192.0.2.1")
SECRETIVE = [
    Credential("alice", "s3cret", "s3cret", heard),
    Request(Task.LOGIN, Credential("alice"), client_at("192.0.2.7"), new_password="s3cret"),
    Reply(Task.LOGIN, User("alice"), AuthId("s3cret")),
    Selection(SERVER, private_key="s3cret"),
    Session("alice-50", "alice", "ts1", State.RUNNING, 50, cookie="s3cret"),
]


@pytest.mark.parametrize("value", SECRETIVE, ids=lambda value: type(value).__name__)
def test_no_log_has_what_is_secret_and_all_else_is_there(value: Discreet):
    shown = {name: getattr(value, name) for name in value.__struct_fields__}
    hidden = {name for name, content in shown.items() if content in ("s3cret", heard)}
    assert hidden == {*value.SECRET}
    assert "s3cret" not in repr(value)
    assert all(f"{name}={shown[name]!r}" in repr(value) for name in shown.keys() - hidden)
