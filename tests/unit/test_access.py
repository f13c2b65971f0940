"""Who may see what: the old broker's rules, with their holes closed."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usher.access import EVERYBODY, Catalogue, Names, Verdict, may_see, network_of
from usher.model import Access, Client, Profile, Rule, User, client_at

ALICE = User("alice", frozenset({"staff", "math"}))
BOB = User("bob", frozenset({"students"}))
NOBODY = User("nobody")
HERE = client_at("192.0.2.1")


def rule(allow: str = "", deny: str = "", *, allow_first: bool = False, broken: str = "") -> Rule:
    """A rule as the words of two lists."""
    return Rule(frozenset(allow.split()), frozenset(deny.split()), allow_first, broken)


def visible(access: Access, user: User = ALICE, client: Client = HERE) -> Verdict:
    return may_see(Profile("p", (), {}, access), user, client)


def users(*lists: str, **more: bool) -> Access:
    return Access(users=rule(*lists, **more))


def groups(*lists: str, **more: bool) -> Access:
    return Access(groups=rule(*lists, **more))


def clients(*lists: str, **more: bool) -> Access:
    return Access(clients=rule(*lists, **more))


# Two letters for what alice and bob may see.
USERS_AND_GROUPS = [
    (Access(), "yes", "yes"),
    (users("alice"), "yes", "no"),
    (users("Alice"), "no", "no"),
    (users("ALL"), "yes", "yes"),
    (users("", "bob"), "no", "no"),
    (users("", "ALL"), "no", "no"),
    (users("alice", "ALL"), "no", "no"),
    (users("alice", "ALL", allow_first=True), "yes", "no"),
    (users("ALL", "bob"), "yes", "no"),
    (users("ALL", "bob", allow_first=True), "yes", "yes"),
    (groups("staff"), "yes", "no"),
    (groups("ALL"), "yes", "yes"),
    (groups("", "staff"), "no", "no"),
    (groups("ALL", "students"), "yes", "no"),
    (groups("math", "staff"), "no", "no"),
    (groups("math", "staff", allow_first=True), "yes", "no"),
    (groups("staff", "ALL"), "no", "no"),
    (groups("staff", "ALL", allow_first=True), "yes", "no"),
    (Access(users=rule("", "bob"), groups=rule("ALL")), "yes", "no"),
    (Access(users=rule("bob"), groups=rule("staff")), "yes", "yes"),
    (Access(users=rule("bob"), groups=rule("", "students")), "no", "yes"),
    (Access(users=rule("", "alice"), groups=rule("staff")), "no", "no"),
    (Access(users=rule("", "ALL"), groups=rule("staff")), "no", "no"),
    (Access(users=rule(broken="?"), groups=rule("ALL")), "no", "no"),
    (Access(users=rule("alice bob"), groups=rule(broken="?")), "yes", "yes"),
    (Access(users=rule("alice"), groups=rule(broken="?")), "yes", "no"),
]


@pytest.mark.parametrize(("access", "for_alice", "for_bob"), USERS_AND_GROUPS)
def test_users_are_asked_before_groups(access: Access, for_alice: str, for_bob: str):
    for user, expected in ((ALICE, for_alice), (BOB, for_bob)):
        verdict = visible(access, user)
        assert bool(verdict) is (expected == "yes"), verdict.why


def test_a_user_called_all_is_nobody_special():
    assert not visible(users("alice"), User("ALL"))
    assert visible(users("ALL"), User("ALL"))


@pytest.mark.parametrize(
    ("access", "address", "expected"),
    [
        (clients("192.0.2.1"), "192.0.2.1", True),
        (clients("192.0.2.1"), "192.0.2.2", False),
        (clients("192.0.2.1"), "::ffff:192.0.2.1", True),
        (clients("192.0.2.0/24"), "192.0.2.77", True),
        (clients("192.0.2.77/24"), "192.0.2.1", True),
        (clients("192.0.2.0/255.255.255.0"), "192.0.2.77", True),
        (clients("2001:db8::/32"), "2001:db8::1", True),
        (clients("2001:db8::/32"), "192.0.2.1", False),
        (clients("0.0.0.0/0"), "192.0.2.1", True),
        (clients("0.0.0.0/0"), "2001:db8::1", False),
        (clients("ALL"), "2001:db8::1", True),
        (clients("", "192.0.2.1"), "192.0.2.2", False),
        (clients("ALL", "192.0.2.1"), "192.0.2.2", True),
        (clients("ALL", "192.0.2.1"), "192.0.2.1", False),
        (clients("192.0.2.1", "ALL"), "192.0.2.1", False),
        (clients("192.0.2.1", "ALL", allow_first=True), "192.0.2.1", True),
        (clients("192.0.2.0/24", "192.0.2.128/25"), "192.0.2.200", False),
        (Access(clients=rule("ALL", broken="?")), "192.0.2.1", False),
        (Access(clients=rule("ALL"), users=rule("bob")), "192.0.2.1", False),
        (Access(clients=rule("10.0.0.1"), users=rule("alice")), "192.0.2.1", False),
    ],
)
def test_clients_must_pass_before_anybody_is_asked(access: Access, address: str, expected: bool):
    verdict = visible(access, ALICE, client_at(address))
    assert bool(verdict) is expected, verdict.why


@pytest.mark.parametrize(
    ("access", "names", "expected"),
    [
        (clients("kiosk"), {"kiosk": [HERE.address]}, True),
        (clients("kiosk"), {"kiosk": []}, False),
        (clients("kiosk"), {}, False),
        (clients("ALL", "kiosk"), {"kiosk": [HERE.address]}, False),
        (clients("ALL", "kiosk"), {"kiosk": [client_at("192.0.2.9").address]}, True),
        (clients("ALL", "kiosk"), {"kiosk": []}, True),
        (clients("ALL", "kiosk"), {}, False),
    ],
)
def test_a_host_name_means_its_addresses_and_an_unknown_one_lets_nobody_in(
    access: Access, names: Names, expected: bool
):
    verdict = may_see(Profile("p", (), {}, access), ALICE, HERE, names)
    assert bool(verdict) is expected, verdict.why


def test_host_names_can_be_resolved_later():
    catalogue = Catalogue([Profile("p", (), {}, clients("kiosk 192.0.2.0/29 ALL", "other"))])
    assert catalogue.host_names == {"kiosk", "other"}
    assert catalogue.visible(ALICE, HERE) == ()
    catalogue.names = {"kiosk": [], "other": []}
    assert len(catalogue.visible(ALICE, HERE)) == 1


@pytest.mark.parametrize(
    ("access", "user", "why"),
    [
        (Access(), ALICE, ["no user or group list"]),
        (users("alice"), ALICE, ["acl-users-allow", "alice"]),
        (users("alice"), BOB, ["bob"]),
        (users("ALL", "bob"), BOB, ["acl-users-deny", "bob"]),
        (groups("staff"), ALICE, ["acl-groups-allow", "staff"]),
        (groups("staff", "math"), ALICE, ["acl-groups-deny", "math"]),
        (Access(users=rule("bob"), groups=rule("staff")), ALICE, ["acl-groups-allow", "staff"]),
        (clients("10.0.0.0/8"), ALICE, ["192.0.2.1"]),
        (clients("ALL", "192.0.2.0/24"), ALICE, ["acl-clients-deny", "192.0.2.0/24"]),
        (clients("ALL", "kiosk"), ALICE, ["acl-clients-deny", "kiosk", "cannot be resolved"]),
        (Access(users=rule(broken="a comma is missing")), ALICE, ["a comma is missing"]),
    ],
)
def test_the_verdict_names_the_entry_that_made_it(access: Access, user: User, why: list[str]):
    verdict = visible(access, user)
    assert all(word in verdict.why for word in why), verdict.why


# The same rules once more, as slowly and plainly as can be, one profile at a time.


def naive(access: Access, user: User, client: Client, names: Names) -> bool:
    """What Catalogue must say."""
    if access.clients:
        entries = {entry for entry in access.clients.allow | access.clients.deny}
        covering = {entry for entry in entries if _covers(entry, client, names)} | {EVERYBODY}
        unknown = {entry for entry in access.clients.deny if not _known(entry, names)}
        if unknown or _passes(access.clients, covering) is not True:
            return False
    if not access.users and not access.groups:
        return True
    by_user = _passes(access.users, {EVERYBODY, user.name})
    if by_user is not None:
        return by_user
    return _passes(access.groups, {EVERYBODY, *user.groups}) is True


def _passes(rule: Rule, entries: set[str]) -> bool | None:
    """What a rule says; None when it says nothing."""
    if rule.broken:
        return False
    allowed, denied = bool(rule.allow & entries), bool(rule.deny & entries)
    if allowed and denied:
        return rule.allow_first
    return allowed if allowed or denied else None


def _covers(entry: str, client: Client, names: Names) -> bool:
    network = network_of(entry)
    return client.address in (network or names.get(entry, ()))


def _known(entry: str, names: Names) -> bool:
    return entry == EVERYBODY or network_of(entry) is not None or entry in names


def _rules(entries: Iterable[str]) -> st.SearchStrategy[Rule]:
    lists = st.frozensets(st.sampled_from([*entries]), max_size=3)
    return st.builds(Rule, lists, lists, st.booleans(), st.sampled_from(["", "", "", "broken"]))


PEOPLE = ["ALL", "alice", "bob", "eve"]
GROUPS = ["ALL", "staff", "math", "students"]
PLACES = ["ALL", "192.0.2.1", "192.0.2.0/30", "192.0.2.9/24", "::/0", "2001:db8::/32", "kiosk", "x"]
ADDRESSES = ["192.0.2.1", "192.0.2.3", "192.0.2.200", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1"]

accesses = st.builds(
    Access, *(st.just(Rule()) | _rules(entries) for entries in (PEOPLE, GROUPS, PLACES))
)
somebody = st.builds(
    User, st.sampled_from([*PEOPLE, "mallory"]), st.frozensets(st.sampled_from(GROUPS))
)
somewhere = st.sampled_from(ADDRESSES).map(client_at)
resolved = st.dictionaries(
    st.sampled_from(["kiosk", "x"]),
    st.lists(somewhere.map(lambda client: client.address), max_size=2),
)


@settings(max_examples=500)
@given(st.lists(accesses, max_size=40), somebody, somewhere, resolved)
def test_many_profiles_at_a_time_are_decided_as_each_by_itself(
    many: list[Access], user: User, client: Client, names: Names
):
    profiles = [Profile(f"p{i}", (), {}, a, f"section {i}") for i, a in enumerate(many)]
    catalogue = Catalogue(profiles, names)
    seen = catalogue.visible(user, client)
    assert seen == tuple(p for p in profiles if naive(p.access, user, client, names))
    for profile in profiles:
        verdict = catalogue.why(profile, user, client)
        assert bool(verdict) is (profile in seen), verdict.why
        found = profile if verdict else None
        assert catalogue.find(profile.id, user, client) is found
        assert catalogue.find(profile.section, user, client) is found


@given(st.text(max_size=20))
def test_only_what_the_library_reads_is_a_network(entry: str):
    network = network_of(entry)
    assert network is None or network == ip_network(entry, strict=False)
