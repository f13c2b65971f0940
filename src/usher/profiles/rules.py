"""The ``acl-*`` keys of a profile. A list that cannot be read lets nobody pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from usher.access import EVERYBODY, network_of
from usher.model import Access, Rule
from usher.profiles.hosts import is_host

ANY_ORDER: Final = "acl-any-order"
ORDERS: Final = ("deny-allow", "allow-deny")
WHOM: Final = ("users", "groups", "clients")
_KEYS: Final = {who: (f"acl-{who}-allow", f"acl-{who}-deny", f"acl-{who}-order") for who in WHOM}
LISTS: Final = frozenset(key for *lists, _ in _KEYS.values() for key in lists)
ACL_KEYS: Final = LISTS | {ANY_ORDER, *(order for *_, order in _KEYS.values())}
_OPEN: Final = Access()
_strange_group: Final = re.compile(r"""[;#"]|^'""").search
_strange_user: Final = re.compile(r"""[;#"\s]|^'""").search


class Unreadable(ValueError):
    """A list or an order that nobody can read; the message says what would be right."""


def read_access(acl: Mapping[str, str]) -> Access:
    """Who may see the profile with these ``acl-*`` keys."""
    if not acl:
        return _OPEN
    any_order = acl.get(ANY_ORDER, "")
    rules = [
        _rule(acl.get(allow, ""), acl.get(deny, ""), acl.get(order) or any_order, who == "clients")
        for who, (allow, deny, order) in _KEYS.items()
    ]
    return Access(*rules)


def check(key: str, text: str) -> None:
    """Raises Unreadable when this value of an ``acl-*`` key would let nobody pass."""
    if key.endswith("-order"):
        _allow_first(text)
    else:
        _names(text, clients=key.startswith("acl-clients-"))


def strange_names(key: str, text: str) -> list[str]:
    """Those in a list of users or groups that nobody has; groups may have blanks in their names."""
    if key not in LISTS or key.startswith("acl-clients-"):
        return []
    strange = _strange_user if key.startswith("acl-users-") else _strange_group
    return [name for name in sorted(_split(text)) if strange(name)]


@lru_cache(maxsize=1024)
def _rule(allow: str, deny: str, order: str, clients: bool) -> Rule:
    try:
        return Rule(_names(allow, clients), _names(deny, clients), _allow_first(order))
    except Unreadable as error:
        return Rule(broken=str(error))


@lru_cache(maxsize=1024)
def _names(text: str, clients: bool) -> frozenset[str]:
    names = _split(text)
    if text.strip() and not names:
        raise Unreadable(f"{text!r} names nobody: write names, or not-set for no list")
    if lines := [repr(name) for name in sorted(names) if "\n" in name]:
        raise Unreadable(f"{' and '.join(lines)} is no name: separate names with commas")
    if clients and (wrong := [repr(name) for name in sorted(names) if not _is_client(name)]):
        right = "write ALL, an address, a network (10.0.0.0/8) or a host name"
        raise Unreadable(f"{' and '.join(wrong)} is no client: {right}")
    return names


def _split(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def _is_client(entry: str) -> bool:
    named = entry == EVERYBODY or is_host(entry) and any(map(str.isalpha, entry))
    return named or network_of(entry) is not None


def _allow_first(order: str) -> bool:
    if order and order not in ORDERS:
        raise Unreadable(f"{order!r} is no order: write {' or '.join(ORDERS)}")
    return order == "allow-deny"
