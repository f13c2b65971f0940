"""Who sees which profile: the cases of the broker before us, numbered as in docs/protocol.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

GROUPS = {
    "male": ["willi", "flip"],
    "female": ["maja", "kassandra", "thekla"],
    "bees": ["maja", "willi", "kassandra"],
    "grasshoppers": ["flip"],
    "spiders": ["thekla"],
}
EVERYBODY = ("flip", "kassandra", "maja", "thekla", "willi")
WITH_PRIMARY_GROUPS = GROUPS | {name: [name] for name in EVERYBODY}

HERE = "127.0.0.1"
ORDERS = ("deny-allow", "allow-deny")


class Asker(NamedTuple):
    """Who asks, and from where."""

    user: str
    address: str


class Case(NamedTuple):
    """The ``acl-`` keys of a profile, and who sees it or does not.

    An asker is written ``user``, ``address`` (then it is maja who asks) or ``user@address``.
    """

    number: int
    acl: str
    seen: str = ""
    hidden: str = ""

    def section(self, name: str) -> str:
        """The profile as it stands in the file."""
        return "\n".join([f"[{name}]", *(f"acl-{word}" for word in self.acl.split()), "", ""])

    def verdicts(self) -> dict[Asker, bool]:
        """Who sees it."""
        seen = dict.fromkeys(map(_asker, self.seen.split()), True)
        return seen | dict.fromkeys(map(_asker, self.hidden.split()), False)


def _asker(text: str) -> Asker:
    user, _, address = text.rpartition("@")
    if user:
        return Asker(user, address)
    return Asker("maja", text) if "." in text or ":" in text else Asker(text, HERE)


def both(number: int, whom: str, acl: str, seen: str = "", hidden: str = "") -> Iterator[Case]:
    """The same in both orders."""
    for order in ORDERS:
        yield Case(number, f"{acl} {whom}-order={order}", seen, hidden)


def nets(first: int, net: str, wide: str, inside: str, beside: str, other: str) -> Iterator[Case]:
    """A narrow network in a wide one; clients in both, in the wide one only, and in neither."""
    narrow_only = f"clients-allow={net} clients-deny=ALL clients-order=allow-deny"
    yield Case(first, narrow_only, inside, f"{beside} {other}")
    all_but_narrow = f"clients-allow=ALL clients-deny={net} clients-order=deny-allow"
    yield Case(first + 1, all_but_narrow, f"{beside} {other}", inside)
    narrow_of_wide = f"clients-allow={net} clients-deny={wide} clients-order=allow-deny"
    yield Case(first + 2, narrow_of_wide, inside, f"{beside} {other}")
    wide_but_narrow = f"clients-allow={wide} clients-deny={net} clients-order=deny-allow"
    yield Case(first + 3, wide_but_narrow, beside, f"{inside} {other}")


def own_address(address: str) -> Iterator[Case]:
    """Lists with one client in them, or all, or none."""
    yield from both(32, "clients", "", address)
    yield from both(32, "clients", "clients-allow=ALL", address)
    yield from both(32, "clients", f"clients-allow={address}", address)
    yield from both(32, "clients", "clients-deny=ALL", hidden=address)
    yield from both(32, "clients", f"clients-deny={address}", hidden=address)


USERS = [
    Case(10, "", "foo"),
    Case(10, "users-allow=ALL users-deny=foo", hidden="foo"),
    *both(11, "users", "", "foo"),
    *both(12, "users", "users-allow=ALL", "foo bar"),
    *both(12, "users", "users-allow=foo", "foo", "bar"),
    *both(13, "users", "users-deny=ALL", hidden="foo"),
    *both(13, "users", "users-deny=foo", hidden="foo"),
    Case(14, "users-allow=foo users-deny=ALL users-order=deny-allow", hidden="foo"),
    Case(14, "users-allow=foo users-deny=ALL users-order=allow-deny", "foo"),
    Case(15, "users-allow=ALL users-deny=foo users-order=deny-allow", hidden="foo"),
    Case(15, "users-allow=ALL users-deny=foo users-order=allow-deny", "foo"),
]

GROUP_LISTS = [
    *both(16, "groups", "groups-allow=ALL", "willi"),
    *both(16, "groups", "groups-allow=male", "willi"),
    *both(16, "groups", "groups-allow=female", hidden="willi"),
    *both(17, "groups", "groups-deny=ALL", hidden="willi"),
    *both(17, "groups", "groups-deny=male", hidden="willi"),
    *both(17, "groups", "groups-deny=female", hidden="willi"),
    Case(20, "groups-allow=bees groups-deny=ALL groups-order=deny-allow", "", "maja flip willi"),
    Case(21, "groups-allow=ALL groups-deny=bees groups-order=allow-deny", "maja flip willi"),
    Case(22, "groups-allow=ALL groups-deny=bees groups-order=deny-allow", "flip", "maja willi"),
    Case(23, "groups-allow=bees groups-deny=ALL groups-order=allow-deny", "maja willi", "flip"),
    Case(24, "groups-allow=male groups-deny=bees groups-order=deny-allow", "flip", "maja willi"),
    Case(25, "groups-allow=male groups-deny=bees groups-order=allow-deny", "flip willi", "maja"),
    Case(30, "groups-allow=female", hidden="willi"),
    Case(49, "groups-allow=bees,grasshoppers", "flip maja kassandra willi", "thekla"),
    Case(49, "groups-allow=bees,spiders", "maja kassandra thekla willi", "flip"),
    Case(49, "groups-allow=bees users-deny=willi", "maja kassandra", "flip thekla willi"),
]

_18 = "groups-deny=bees,flip groups-allow=ALL groups-order=deny-allow"
_19 = "groups-allow=bees,flip groups-deny=ALL groups-order=allow-deny"
SECONDARY = [Case(18, _18, "flip", "maja willi"), Case(19, _19, "maja willi", "flip")]
PRIMARY = [Case(18, _18, hidden="flip maja willi"), Case(19, _19, "flip maja willi")]

USERS_AND_GROUPS = [
    Case(
        26,
        "users-allow=flip groups-allow=female,male groups-deny=spiders groups-order=deny-allow",
        "flip kassandra maja willi",
        "thekla",
    ),
    Case(
        27,
        "users-allow=flip groups-allow=female,male groups-deny=spiders groups-order=allow-deny",
        "flip kassandra maja thekla willi",
    ),
    Case(
        28,
        "groups-allow=male,female groups-deny=spiders,grasshoppers groups-order=allow-deny",
        "flip kassandra maja thekla willi",
    ),
    Case(
        28,
        "groups-allow=male,female groups-deny=spiders,grasshoppers groups-order=deny-allow",
        "kassandra maja willi",
        "flip thekla",
    ),
    Case(
        29,
        "users-allow=flip,thekla users-deny=maja groups-allow=male,female"
        " groups-deny=spiders,grasshoppers groups-order=deny-allow",
        "flip kassandra thekla willi",
        "maja",
    ),
]

CLIENTS = [
    *own_address("10.0.2.14"),
    *own_address("fe80::1"),
    *nets(33, "10.0.2.0/24", "10.0.0.0/16", "10.0.2.14", "10.0.3.14", "8.8.8.8"),
    *nets(37, "fe80::/64", "fe80::/56", "fe80::1", "fe80:0:0:1::1", "2001:db8::1"),
    Case(
        40,
        "clients-allow=fe80::/56 clients-deny=fe80:0:0:1::/64 clients-order=deny-allow",
        "fe80::1",
        "fe80:0:0:1::1 2001:db8::1",
    ),
]


def _from_inside(case: Case) -> Case:
    """The same for clients of a network; nobody sees it from elsewhere."""
    clients = "clients-allow=10.0.2.0/24 clients-deny=ALL clients-order=allow-deny"
    inside, outside = (
        [f"{user}@{address}" for user in users.split()]
        for users, address in (
            (case.seen, "10.0.2.14"),
            (f"{case.seen} {case.hidden}", "10.0.3.14"),
        )
    )
    hidden = [*outside, *(f"{user}@10.0.2.14" for user in case.hidden.split())]
    return Case(41, f"{clients} {case.acl}", " ".join(inside), " ".join(hidden))


COMBINED = [_from_inside(case) for case in USERS_AND_GROUPS]

KEPT = [*USERS, *GROUP_LISTS, *SECONDARY, *USERS_AND_GROUPS, *CLIENTS, *COMBINED]

ON_PURPOSE = {
    "acl-any-order counts for users": Case(
        14, "users-allow=foo users-deny=ALL any-order=allow-deny", "foo", "bar"
    ),
    "acl-any-order counts for groups": Case(
        23, "groups-allow=bees groups-deny=ALL any-order=allow-deny", "maja willi", "flip"
    ),
    "acl-any-order counts for clients": Case(
        33,
        "clients-allow=10.0.2.0/24 clients-deny=ALL any-order=allow-deny",
        "10.0.2.14",
        "10.0.3.14",
    ),
    "a list's own order counts more than acl-any-order": Case(
        14, "users-allow=foo users-deny=ALL any-order=allow-deny users-order=deny-allow", "", "foo"
    ),
    "a list of clients that cannot be read lets nobody pass": Case(
        34, "clients-allow=ALL clients-deny=10.0.2.*", hidden="10.0.2.14 10.0.3.14 8.8.8.8"
    ),
    "an IPv4 client on an IPv6 socket is in its IPv4 network": Case(
        33, "clients-allow=10.0.2.0/24", "::ffff:10.0.2.14", "::ffff:10.0.3.14"
    ),
}
