"""Host names of client lists and their addresses."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address

import pytest

from usher.profiles import names

V4, V6 = ip_address("192.0.2.7"), ip_address("2001:db8::7")


@pytest.fixture
def phone_book(monkeypatch):
    """Who lives where; whoever is not in it cannot be resolved."""
    book = {"pc": ["192.0.2.7", "2001:db8::7%eth0"]}

    def look_up(name, port, *, type):
        if name not in book:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(None, type, 6, "", (place, 0)) for place in book[name]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return book


def test_a_name_has_all_its_addresses(phone_book):
    assert names.resolve(["pc"], {}, 5) == {"pc": {V4, V6}}


def test_a_name_that_cannot_be_resolved_is_left_out(phone_book, caplog):
    assert names.resolve(["pc", "gone"], {}, 5) == {"pc": {V4, V6}}
    assert "gone cannot be resolved" in caplog.text


def test_the_last_good_addresses_stay(phone_book):
    before = names.resolve(["pc"], {}, 5)
    del phone_book["pc"]
    assert names.resolve(["pc"], before, 5) == before


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), True),
        (OSError(24, "Too many open files"), True),
    ],
)
def test_an_address_ends_with_its_name_and_not_with_a_failure(monkeypatch, error, stays):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    before = {"pc": {V4}}
    assert names.resolve(["pc"], before, 5) == (before if stays else {})


def test_names_that_nobody_lists_any_more_are_forgotten(phone_book):
    assert names.resolve([], {"pc": {V4}}, 5) == {}


def test_nobody_waits_for_an_answer_that_does_not_come(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait() and [])
    assert names.resolve(["slow"], {"slow": {V4}}, 0) == {"slow": {V4}}
    never.set()


def test_nobody_asks_on_when_nobody_waits(monkeypatch):
    asked, gate, before = [], threading.Event(), {*threading.enumerate()}

    def look_up(name, *_, **__):
        asked.append(name)
        gate.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    names.resolve([str(i) for i in range(100)], {}, 0)
    gate.set()
    for thread in {*threading.enumerate()} - before:
        thread.join(5)
    assert len(asked) <= names.AT_ONCE
