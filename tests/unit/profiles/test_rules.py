"""The access lists: honoured as they are written, and closed when they cannot be read."""

from __future__ import annotations

import pytest

from usher.model import Access, Rule
from usher.profiles.rules import ACL_KEYS, Unreadable, check, read_access


def test_no_list_is_no_rule():
    assert read_access({}) == Access()


def test_lists_are_split_and_stripped():
    access = read_access({"acl-users-allow": "a,  b ,,c", "acl-groups-deny": "Domain Users"})
    assert access.users == Rule(allow=frozenset("abc"))
    assert access.groups == Rule(deny=frozenset(["Domain Users"]))


@pytest.mark.parametrize(
    ("orders", "allow_first"),
    [
        ({}, False),
        ({"acl-any-order": "allow-deny"}, True),
        ({"acl-any-order": "allow-deny", "acl-users-order": "deny-allow"}, False),
        ({"acl-any-order": "allow-deny", "acl-users-order": ""}, True),
        ({"acl-any-order": "allow-deny", "acl-groups-order": "deny-allow"}, True),
        ({"acl-users-order": "allow-deny"}, True),
    ],
)
def test_a_lists_own_order_wins_over_the_order_for_all(orders, allow_first):
    access = read_access({"acl-users-allow": "a", **orders})
    assert access.users.allow_first is allow_first


@pytest.mark.parametrize(
    "entry",
    ["ALL", "10.0.0.1", "10.0.0.0/8", "10.0.2.7/255.255.0.0", "fe80::/64", "::1", "pc1.dom"],
)
def test_a_client_is_everybody_or_an_address_or_a_network_or_a_name(entry):
    check("acl-clients-allow", entry)


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.1-10.0.0.9", "10.0.0.*", "10.0.0.0/33", "300.1.1.1", "123", "a b"],
)
@pytest.mark.parametrize("key", ["acl-clients-allow", "acl-clients-deny"])
def test_a_client_list_that_cannot_be_read_breaks_its_rule(key, entry):
    with pytest.raises(Unreadable, match="write"):
        check(key, f"10.0.0.1, {entry}")
    assert read_access({key: f"10.0.0.1, {entry}"}).clients.broken


@pytest.mark.parametrize("text", [",", " , ,,"])
@pytest.mark.parametrize("key", sorted(key for key in ACL_KEYS if not key.endswith("-order")))
def test_a_list_of_nobody_breaks_its_rule(key, text):
    with pytest.raises(Unreadable, match="names nobody"):
        check(key, text)
    assert getattr(read_access({key: text}), key.split("-")[1]).broken


def test_an_order_that_cannot_be_read_breaks_the_rules_that_follow_it():
    acl = {"acl-any-order": "deny, allow", "acl-users-order": "allow-deny", "acl-users-allow": "a"}
    with pytest.raises(Unreadable, match="deny-allow or allow-deny"):
        check("acl-any-order", acl["acl-any-order"])
    access = read_access(acl)
    assert access.clients.broken and access.groups.broken and not access.users.broken


def test_there_are_ten_keys():
    assert len(ACL_KEYS) == 10


@pytest.mark.parametrize("key", ["acl-users-deny", "acl-groups-allow", "acl-clients-deny"])
def test_names_on_lines_of_their_own_without_commas_break_their_rule(key):
    with pytest.raises(Unreadable, match="separate names with commas"):
        check(key, "\nann\nbob")
    check(key, "\nann,\nbob")
