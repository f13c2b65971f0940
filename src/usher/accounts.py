"""Whose account on the servers is that? Files of lines ``broker-user = server-user``."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from usher import places
from usher.errors import Fault

log = logging.getLogger(__name__)

_is_account = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}").fullmatch


@dataclass(frozen=True, slots=True)
class AccountMap:
    """A file as it was when it had this stamp: the accounts of each broker user."""

    stamp: tuple[int, ...] = ()
    accounts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


class AccountMaps:
    """The maps that profiles name.

    A changed one counts from the next question on; while it cannot be read, the last good one
    stays.
    """

    def __init__(self) -> None:
        self._maps: dict[str, AccountMap] = {}

    async def of(self, username: str, path: str) -> frozenset[str]:
        """The accounts on the servers that this map gives to a broker user."""
        known = await asyncio.to_thread(self._now, path)
        return known.accounts.get(username, frozenset())

    def _now(self, path: str) -> AccountMap:
        known = self._maps.get(path)
        if known is None or known.stamp != places.stamp(Path(path)):
            known = self._maps[path] = read_map(path, known or AccountMap())
            for fault in known.faults:
                log.warning("%s", fault)
        return known


def read_map(path: str, before: AccountMap = AccountMap()) -> AccountMap:
    """The map as it is now; ``before``, with a fault, when it cannot be read."""
    file = Path(path)
    stamp = places.stamp(file)  # before reading: a change while we read is then seen
    try:
        lines = places.text(file).splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        fault = Fault(file, 1, "file", f"cannot be read, the last good one stays: {why}")
        return replace(before, stamp=stamp, faults=(fault,))
    accounts: defaultdict[str, set[str]] = defaultdict(set)
    faults = []
    for number, line in _entries(lines):
        user, _, account = (part.strip() for part in line.rpartition("="))
        if user and _is_account(account):
            accounts[user].add(account)
        else:
            message = "cannot be read: write broker-user = server-user"
            faults.append(Fault(file, number, ascii(line[:40]), message))
    return AccountMap(stamp, {u: frozenset(found) for u, found in accounts.items()}, tuple(faults))


def _entries(lines: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Number and text of every line that is neither empty nor a comment."""
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            yield number, line
