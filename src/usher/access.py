"""May this user, at this client, see this profile? Pure, and able to say why.

The rule stands once, in ``Catalogue._decide``, and is computed for many profiles at a time: a set
of profiles is one whole number with bit ``i`` for profile ``i``, so that a user among ten thousand
profiles costs a few operations on such numbers. ``may_see`` is the same with one profile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from usher.model import Address, Client, Network, Profile, Rule, User

EVERYBODY = "ALL"

Names = Mapping[str, Collection[Address]]
"""Host names in client lists and their addresses; a missing one could not be resolved."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """True when allowed; ``why`` is for the log and for ``usher why``."""

    allowed: bool
    why: str

    def __bool__(self) -> bool:
        return self.allowed


class Catalogue:
    """The profiles on offer, indexed so that a user costs what they see, not what there is.

    ``lists``: those of ``lists_of`` these profiles, where they have been made beforehand.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        names: Names | None = None,
        lists: Iterable[Lists] | None = None,
    ) -> None:
        self.profiles = tuple(profiles)
        self._position = {p.section or p.id: i for i, p in enumerate(self.profiles)}
        self._position |= {p.id: i for i, p in enumerate(self.profiles)}
        self._every = (1 << len(self.profiles)) - 1
        self._users, self._groups, self._clients = lists or lists_of(self.profiles)
        self._networks = _Networks(self._clients)
        self._free = self._every & ~(self._users.present | self._groups.present)
        self._unruled = self._free & ~self._clients.present
        self.names = names or {}

    @property
    def host_names(self) -> frozenset[str]:
        """The host names in client lists: somebody has to resolve them, and set ``names``."""
        return self._networks.host_names

    @property
    def names(self) -> Names:
        """The host names in client lists, resolved."""
        return self._names

    @names.setter
    def names(self, names: Names) -> None:
        self._names = names
        self._networks.resolve(names)

    def visible(self, user: User, client: Client) -> tuple[Profile, ...]:
        """The profiles this user may see from this client, in the order of the catalogue."""
        return tuple([self.profiles[i] for i in _ones(self._decide(user, client).visible)])

    def find(self, name: str, user: User, client: Client) -> Profile | None:
        """The profile of that id or section, if this user may see it."""
        position = self._position.get(name)
        if position is None:
            return None
        unruled = self._unruled >> position & 1  # as most profiles are: there is nothing to decide
        if unruled or self._decide(user, client).visible >> position & 1:
            return self.profiles[position]
        return None

    def why(self, profile: Profile, user: User, client: Client) -> Verdict:
        """The verdict about one profile of the catalogue, and the list that made it."""
        position = self._position[profile.id]
        welcome, free, by_user, not_by_user, _, visible = (
            bits >> position & 1 for bits in self._decide(user, client)
        )
        access, covering = profile.access, self._covering(client)
        if not welcome:
            unknown = sorted(access.clients.deny & self.host_names - self.names.keys())
            if unknown and not access.clients.broken:
                names = ", ".join(unknown)
                return Verdict(False, f"acl-clients-deny has {names}, which cannot be resolved")
            why = _because("clients", access.clients, covering, f"client {client.address}")
            return Verdict(False, why)
        if free:
            return Verdict(True, "no user or group list")
        if by_user or not_by_user:
            why = _because("users", access.users, [EVERYBODY, user.name], user.name)
        else:
            groups = [EVERYBODY, *sorted(user.groups)]
            why = _because("groups", access.groups, groups, f"{user.name} or a group of theirs")
        return Verdict(bool(visible), why)

    def _covering(self, client: Client) -> list[str]:
        return [*self._networks.covering(client.address, self._networks.resolved)]

    def _decide(self, user: User, client: Client) -> _Stages:
        """The rule: clients must pass; then the user lists decide; then the group lists."""
        resolved = self._networks.resolved
        ours, _ = self._clients.verdicts(self._networks.covering(client.address, resolved))
        welcome = (self._every & ~self._clients.present) | (ours & ~resolved.unknown)
        by_user, not_by_user = self._users.verdicts((EVERYBODY, user.name))
        by_group, _ = self._groups.verdicts((EVERYBODY, *user.groups))
        visible = welcome & (self._free | by_user | (by_group & ~not_by_user))
        return _Stages(welcome, self._free, by_user, not_by_user, by_group, visible)


class _Stages(NamedTuple):
    """What each step of the rule said, as bits."""

    welcome: int
    free: int
    by_user: int
    not_by_user: int
    by_group: int
    visible: int


def lists_of(profiles: Sequence[Profile]) -> Iterator[Lists]:
    """The rules for users, groups and clients. Each takes its time, where there are thousands."""
    yield Lists(profile.access.users for profile in profiles)
    yield Lists(profile.access.groups for profile in profiles)
    yield Lists(profile.access.clients for profile in profiles)


class Lists:
    """One kind of rule of every profile, as bits."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.present = self.allow_first = self.broken = 0
        self.allow: defaultdict[str, int] = defaultdict(int)
        self.deny: defaultdict[str, int] = defaultdict(int)
        for position, rule in enumerate(rules):
            if rule:
                self._add(rule, 1 << position)

    def _add(self, rule: Rule, bit: int) -> None:
        self.present |= bit
        self.allow_first |= bit if rule.allow_first else 0
        self.broken |= bit if rule.broken else 0
        for entry in rule.allow:
            self.allow[entry] |= bit
        for entry in rule.deny:
            self.deny[entry] |= bit

    def verdicts(self, entries: Iterable[str]) -> tuple[int, int]:
        """The profiles whose rule says yes, and those whose rule says no, to these entries."""
        if not self.present:
            return 0, 0
        allowed = denied = 0
        for entry in entries:
            allowed |= self.allow.get(entry, 0)
            denied |= self.deny.get(entry, 0)
        yes = allowed & (~denied | self.allow_first) & ~self.broken
        return yes, (denied | self.broken) & ~yes


class _Resolved(NamedTuple):
    """The host names at each address, and the profiles that deny a name nobody could resolve."""

    of_address: Mapping[Address, Sequence[str]]
    unknown: int


class _Networks:
    """The client entries of every profile: which of them cover an address?"""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._of_length: defaultdict[tuple[int, int], dict[int, list[str]]] = defaultdict(dict)
        self.resolved = _Resolved({}, 0)
        names = set()
        for entry in {*lists.allow, *lists.deny} - {EVERYBODY}:
            network = network_of(entry)
            if network is None:
                names.add(entry)
            else:
                of_length = self._of_length[network.version, network.prefixlen]
                of_length.setdefault(int(network.network_address), []).append(entry)
        self.host_names = frozenset(names)

    def resolve(self, names: Names) -> None:
        """Take the addresses of the host names; whom an unknown one denies is not known either."""
        of_address: defaultdict[Address, list[str]] = defaultdict(list)
        unknown = 0
        for name in self.host_names:
            for address in names.get(name, ()):
                of_address[address].append(name)
            if name not in names:
                unknown |= self._lists.deny.get(name, 0)
        # At one stroke: this may be another thread than the one that decides.
        self.resolved = _Resolved(of_address, unknown)

    def covering(self, address: Address, resolved: _Resolved) -> Iterator[str]:
        """The entries that cover this address."""
        yield EVERYBODY
        yield from resolved.of_address.get(address, ())
        number, size = int(address), address.max_prefixlen
        for (version, length), networks in self._of_length.items():
            if version == address.version:
                shift = size - length
                yield from networks.get(number >> shift << shift, ())


def network_of(entry: str) -> Network | None:
    """Read ``address``, ``address/bits`` or ``address/netmask``; None for anything else.

    IPv4-mapped ones are the IPv4 ones they mean, as the addresses of clients are.
    """
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return None
    mapped = isinstance(network, IPv6Network) and network.network_address.ipv4_mapped
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped else network


def may_see(profile: Profile, user: User, client: Client, names: Names | None = None) -> Verdict:
    """May this user, at this client, see this profile?"""
    return Catalogue([profile], names).why(profile, user, client)


def _because(what: str, rule: Rule, entries: Sequence[str], whom: object) -> str:
    """Name the entries that matched, as they stand in the profile."""
    if rule.broken:
        return f"acl-{what}: {rule.broken}"
    found = [
        f"acl-{what}-{verb} has {', '.join(hits)}"
        for verb, names in (("allow", rule.allow), ("deny", rule.deny))
        if (hits := [entry for entry in entries if entry in names])
    ]
    if len(found) == 2:
        found.append(f"acl-{what}-order is {'allow-deny' if rule.allow_first else 'deny-allow'}")
    return "; ".join(found) or f"no list has {whom}"


def _ones(number: int) -> Iterator[int]:
    """The positions of the set bits, lowest first."""
    digits = bin(number)[:1:-1]
    position = digits.find("1")
    while position >= 0:
        yield position
        position = digits.find("1", position + 1)
