"""Every way to write down a server."""

from __future__ import annotations

import pytest

from usher.model import Server
from usher.profiles.hosts import read_hosts, read_place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ts1", Server("ts1", "ts1", 222)),
        ("ts1.example.org", Server("ts1.example.org", "ts1.example.org", 222)),
        ("10.0.0.1", Server("10.0.0.1", "10.0.0.1", 222)),
        ("ts1 (10.0.0.1)", Server("ts1", "10.0.0.1", 222)),
        ("ts1(10.0.0.1)", Server("ts1", "10.0.0.1", 222)),
        ("ts1   ( 10.0.0.1 )", Server("ts1", "10.0.0.1", 222)),
        ("ts1 (10.0.0.1:2222)", Server("ts1", "10.0.0.1", 2222)),
        ("ts1 (gate.example.org:2222)", Server("ts1", "gate.example.org", 2222)),
        ("ts1.dom (gate)", Server("ts1.dom", "gate", 222)),
        ("ts1 (2001:db8::1)", Server("ts1", "2001:db8::1", 222)),
        ("ts1 ([2001:db8::1])", Server("ts1", "2001:db8::1", 222)),
        ("ts1 ([2001:db8::1]:2222)", Server("ts1", "2001:db8::1", 2222)),
        ("ts1 (10.0.0.1: 2222)", Server("ts1", "10.0.0.1", 2222)),
        ("ts1 (10.0.0.1 :\t2222)", Server("ts1", "10.0.0.1", 2222)),
        ("ts1 (10.0.0.1:+2222)", Server("ts1", "10.0.0.1", 2222)),
        ("ts1 ([2001:db8::1] : 2222)", Server("ts1", "2001:db8::1", 2222)),
        ("1und1", Server("1und1", "1und1", 222)),
    ],
)
def test_a_host_is_a_name_with_an_address_and_a_port(text, expected):
    ((server, doubt),) = read_hosts(text, 222)
    assert (server, doubt) == (expected, "")


def test_a_list_keeps_its_order_and_loses_its_blanks():
    assert [host.server.name for host in read_hosts(" b ,a(10.0.0.1:22),, c ", 22)] == list("bac")


@pytest.mark.parametrize("place", [":2222", "-x:2222", "a b : +2222", "256.1.1.1:2222"])
def test_a_port_holds_even_beside_an_address_that_is_none(place):
    ((server, doubt),) = read_hosts(f"ts1 ({place})", 22)
    assert server == Server("ts1", "ts1", 2222)
    assert "is no address" in doubt


@pytest.mark.parametrize("place", ["-test-6.extern", "fe80::1%eth0", "[10.0.0.1]", "a b", "gate:"])
def test_the_name_stands_in_for_an_address_that_is_none(place):
    ((server, doubt),) = read_hosts(f"ts1 ({place})", 22)
    assert server == Server("ts1", "ts1", 22)
    assert "is no address" in doubt


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[2001:db8::1]", "write NAME ([2001:db8::1])"),
        ("2001:db8::1", "write NAME (2001:db8::1)"),
        ("-ts1", "write name, name (address)"),
        ("ts1 ts2", "write name, name (address)"),
        ("ts1 (10.0.0.1", "write name, name (address)"),
        ("256.1.1.1", "write name, name (address)"),
        ("tß1", "write name, name (address)"),
        ("ts1 (10.0.0.1:0)", "from 1 to 65535"),
        ("ts1 (10.0.0.1:99999)", "from 1 to 65535"),
        ("ts1 (:99999)", "from 1 to 65535"),
    ],
)
def test_what_is_no_host_is_refused_with_what_would_be_right(text, hint):
    with pytest.raises(ValueError) as refusal:
        read_hosts(f"good, {text}", 22)
    assert hint in str(refusal.value)


def test_an_ipv6_address_wears_brackets_to_have_a_port():
    assert read_place("[2001:db8::1]:2222", 22) == ("2001:db8::1", 2222)
    assert read_place("2001:db8::1", 22) == ("2001:db8::1", 22)


@pytest.mark.parametrize("text", ["", ":22", "a:b:c:d:g", "a (b)", "ts1:x"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError):
        read_place(text, 22)
