"""Who has not logged in yet: how many may be here, and how long a failure makes them wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_network

from usher.model import Address, Network

MOST = 500
MOST_OF_A_SOURCE = 50
"""Connections without a login: in all, and from one place."""

FREE_FAILURES = 4
FREE_FAILURES_OF_A_SOURCE = 40
"""Of one name at one place, and of all names there: many may share an address."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
FORGIVEN_SECONDS = 300.0
MOST_REMEMBERED = 10_000

Source = Address | Network


class Strangers:
    """Counts connections and failures by the place they come from: an address, in IPv6 a /64."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._here: Counter[Source] = Counter()
        self._failures: dict[tuple[Source, str], tuple[int, float]] = {}

    def admit(self, address: Address) -> bool:
        """Is there room for one more? If so, it is taken until ``leave``."""
        source = _source(address)
        if self._here.total() >= MOST or self._here[source] >= MOST_OF_A_SOURCE:
            return False
        self._here[source] += 1
        return True

    def leave(self, address: Address) -> None:
        """One has logged in, or has gone."""
        source = _source(address)
        self._here[source] -= 1
        if not self._here[source]:
            del self._here[source]

    def failed(self, address: Address, username: str) -> None:
        """A login failed; the oldest failures are forgotten for it when there are too many."""
        for who in _whose(address, username):
            failures = self._count(who) + 1
            self._failures.pop(who, None)
            self._failures[who] = failures, self._clock()
        while len(self._failures) > MOST_REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def pause(self, address: Address, username: str) -> float:
        """Seconds that the next login of that name from there has to wait."""
        beyond = max(self._count(who) - free for who, free in _whose(address, username).items())
        if beyond <= 0:
            return 0.0
        return min(FIRST_PAUSE_SECONDS * 2.0 ** min(beyond - 1, 10), LONGEST_PAUSE_SECONDS)

    def _count(self, who: tuple[Source, str]) -> int:
        failures, last = self._failures.get(who, (0, 0.0))
        return failures if self._clock() < last + FORGIVEN_SECONDS else 0


def _whose(address: Address, username: str) -> dict[tuple[Source, str], int]:
    """Who is charged with a failure, and how many are free."""
    source = _source(address)
    return {(source, username): FREE_FAILURES, (source, ""): FREE_FAILURES_OF_A_SOURCE}


def _source(address: Address) -> Source:
    if isinstance(address, IPv6Address):
        return ip_network((int(address) >> 64 << 64, 64))
    return address
