"""Places promised: a choice counts at once, until the session is there or a minute has passed."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable

from msgspec import Struct

from usher.model import Server

LEASE_SECONDS = 60.0
"""How long a promised place counts when nobody tells of the session that took it."""

_Key = tuple[str, str]
"""A user, and a profile."""


class _Lease(Struct, frozen=True):
    server: Server
    until: float


class Leases:
    """Each user has one for each profile at most.

    ``changed`` is told of a server on which there are more or less. Old ones are there until they
    are forgotten.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[Server], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._leases: OrderedDict[_Key, _Lease] = OrderedDict()  # as they run out
        self._of_user: defaultdict[str, set[_Key]] = defaultdict(set)
        self._on: defaultdict[Server, int] = defaultdict(int)
        self._next = 0.0  # none runs out before

    def promise(self, username: str, profile_id: str, server: Server) -> None:
        """It replaces what this user was promised for this profile before."""
        key = username, profile_id
        if before := self._leases.pop(key, None):
            self._on[before.server] -= 1
            self._changed(before.server)
        else:
            self._of_user[username].add(key)
        self._leases[key] = _Lease(server, self._clock() + LEASE_SECONDS)
        self._on[server] += 1
        self._changed(server)

    def of(self, username: str, profile_id: str) -> Server | None:
        """Where this user was sent for this profile, and has not arrived so far."""
        lease = self._leases.get((username, profile_id))
        return lease.server if lease and lease.until > self._clock() else None

    def on(self, server: Server) -> int:
        """How many there are on this server."""
        return self._on[server]

    def arrived(self, username: str, server: Server) -> None:
        """A session that nobody knew: it takes one place that was promised to its user there."""
        for key in self._of_user.get(username, ()):
            if self._leases[key].server == server:
                return self._release(key)
        return None

    def forget(self, server: Server) -> None:
        """No place there is of interest any more."""
        for key in [key for key, lease in self._leases.items() if lease.server == server]:
            self._release(key)
        self._on.pop(server, None)

    def forget_old(self) -> None:
        """Those that have run out."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LEASE_SECONDS
        while self._leases:
            key, lease = next(iter(self._leases.items()))
            if lease.until > now:
                self._next = lease.until
                return
            self._release(key)

    def _release(self, key: _Key) -> None:
        server, keys = self._leases.pop(key).server, self._of_user[key[0]]
        keys.discard(key)
        if not keys:
            del self._of_user[key[0]]
        self._on[server] -= 1
        self._changed(server)
