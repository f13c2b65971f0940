"""The words that can read themselves."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from usher.model import client_at


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
