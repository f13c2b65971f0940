"""What is known of every server now: up, load, sessions, places promised. Nobody waits here."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from usher.model import Candidate, Load, Resumable, Server, Session, Sight
from usher.settings import Settings

LEASE_SECONDS = 60.0
"""How long a promised place counts when nobody tells of the session that took it."""

REFUSALS = 3
SHUNNED_SECONDS = 300.0
"""A server that fails so many logins' keys in a row is tried last, for so long."""

NOTHING_SAID = Settings()


@dataclass(slots=True)
class _Picture:
    """``sessions``: the ids that were told. A server nobody has looked at has none to tell."""

    up: bool = True
    why: str = ""
    since: float = 0.0
    heard: float = 0.0
    sight: Sight = Sight(sessions=())
    sessions: frozenset[str] = frozenset()
    promised: int = 0
    refusals: int = 0
    shunned_until: float = 0.0


@dataclass(frozen=True, slots=True)
class _Lease:
    server: Server
    until: float


@dataclass(slots=True)
class Outlook:
    """A server in the eyes of a profile: a candidate, or ``why_not``."""

    server: Server
    candidate: Candidate | None = None
    why_not: str = ""


@dataclass(slots=True)
class State:
    """What is known of a server, for people: up or down for ``since`` seconds, and ``why``.

    ``heard``: how many seconds ago it last answered.
    """

    server: Server
    up: bool
    why: str
    since: float
    heard: float
    drained: bool
    sight: Sight
    promised: int = field(default=0)


class Farm:
    """The picture. A server nobody has told about counts as up and idle."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pictures: defaultdict[Server, _Picture] = defaultdict(_Picture)
        self._sessions: defaultdict[str, dict[tuple[str, str], Resumable]] = defaultdict(dict)
        self._leases: OrderedDict[tuple[str, str], _Lease] = OrderedDict()
        self._drained: frozenset[str] = frozenset()
        self._untold: set[Server] = set()

    def seen(self, server: Server, sight: Sight) -> None:
        """The server answered. Raises ValueError for a load that cannot be.

        It is believed about its own sessions only.
        """
        if not _possible(sight.load):
            raise ValueError(f"no server can be like that: {sight.load}")
        picture = self._turn(server, up=True)
        picture.heard = self._clock()
        if any(session.server != server.name for session in sight.sessions or ()):
            sight = replace(sight, sessions=_own(server, sight.sessions or ()))
        if sight.sessions != picture.sight.sessions:
            self._retell(server, picture, sight.sessions or ())
        picture.sight = sight
        (self._untold.add if sight.sessions is None else self._untold.discard)(server)

    def silent(self, server: Server, why: str = "") -> None:
        """The server did not answer, and why."""
        self._turn(server, up=False).why = why or "it does not answer"

    def key_placed(self, server: Server) -> None:
        """The server let a one-time key in."""
        self._pictures[server].refusals = 0

    def key_failed(self, server: Server) -> None:
        """The server did not let a one-time key in; after three in a row it is tried last."""
        picture = self._pictures[server]
        picture.refusals += 1
        if picture.refusals >= REFUSALS:
            picture.shunned_until = self._clock() + SHUNNED_SECONDS

    def is_shunned(self, server: Server) -> bool:
        """Should others be tried before it?"""
        return self._clock() < self._pictures[server].shunned_until

    def forget(self, server: Server) -> None:
        """Nobody is interested in the server any more."""
        self._retell(server, self._pictures[server], ())
        self._untold.discard(server)
        for key in [key for key, lease in self._leases.items() if lease.server == server]:
            self._release(key)
        del self._pictures[server]

    def drain(self, names: Iterable[str]) -> None:
        """The servers of these names, and no others, take no new sessions from now on."""
        self._drained = frozenset(names)

    def is_up(self, server: Server) -> bool:
        """Has it answered when it was last asked?"""
        return self._pictures[server].up

    def tells_all(self, server: Server) -> bool:
        """Are all sessions of this server known without asking for a user's?"""
        return server not in self._untold

    @property
    def tells_everything(self) -> bool:
        """Are all sessions of the farm known without asking?"""
        return not self._untold

    def sessions(self, username: str) -> Sequence[Resumable]:
        """The user's sessions that are known without asking, on servers that are up."""
        if username not in self._sessions:
            return ()
        return [known for known in self._sessions[username].values() if self.is_up(known.server)]

    def out_of_reach(self, username: str) -> Sequence[Resumable]:
        """The user's sessions that were told before their servers went down."""
        known = self._sessions[username].values() if username in self._sessions else ()
        return [own for own in known if not self.is_up(own.server)]

    def why_down(self, server: Server) -> str:
        """Why the server counts as down."""
        return self._pictures[server].why

    def candidates(
        self, servers: Iterable[Server], settings: Settings = NOTHING_SAID
    ) -> list[Candidate]:
        """Those of the servers that may take a new session, with the places promised on them."""
        outlooks = self.outlooks(servers, settings)
        return [outlook.candidate for outlook in outlooks if outlook.candidate]

    def outlooks(self, servers: Iterable[Server], settings: Settings) -> list[Outlook]:
        """Every server as a candidate, or why it is none."""
        self._forget_old_leases()
        return [self._outlook(server, settings) for server in servers]

    def states(self) -> list[State]:
        """All that is known of every server."""
        now = self._clock()
        return [
            State(
                server,
                picture.up,
                picture.why,
                now - picture.since,
                now - picture.heard,
                server.name in self._drained,
                picture.sight,
                picture.promised,
            )
            for server, picture in self._pictures.items()
        ]

    def lease(self, username: str, profile_id: str, server: Server) -> None:
        """Promise a place; it replaces what this user was promised for this profile before."""
        key = username, profile_id
        if key in self._leases:
            self._release(key)
        self._pictures[server].promised += 1
        self._leases[key] = _Lease(server, self._clock() + LEASE_SECONDS)

    def leased(self, username: str, profile_id: str) -> Server | None:
        """Where this user was sent for this profile, and has not arrived so far."""
        self._forget_old_leases()
        lease = self._leases.get((username, profile_id))
        return lease.server if lease else None

    def _outlook(self, server: Server, settings: Settings) -> Outlook:
        picture = self._pictures[server]
        if not picture.up:
            return Outlook(server, why_not=picture.why)
        if server.name in self._drained:
            return Outlook(server, why_not="it is drained")
        weight, cap = settings.weights.get(server.name, 1.0), settings.caps.get(server.name, 0)
        candidate = Candidate(server, picture.sight.load, picture.promised, weight, cap)
        if cap and candidate.sessions >= cap:
            return Outlook(server, why_not=f"it is full: {candidate.sessions} of {cap} sessions")
        return Outlook(server, candidate)

    def _turn(self, server: Server, *, up: bool) -> _Picture:
        picture = self._pictures[server]
        if picture.up is not up or not picture.since:
            picture.up, picture.since = up, self._clock()
        return picture

    def _retell(self, server: Server, picture: _Picture, told: Iterable[Session]) -> None:
        """Take the server's list of sessions instead of the one before."""
        for gone in picture.sight.sessions or ():
            self._sessions[gone.user].pop((server.name, gone.id), None)
            if not self._sessions[gone.user]:
                del self._sessions[gone.user]
        before, picture.sessions = picture.sessions, frozenset(session.id for session in told)
        for session in told:
            self._sessions[session.user][server.name, session.id] = Resumable(session, server)
            if session.id not in before:
                self._arrived(session.user, server)

    def _arrived(self, username: str, server: Server) -> None:
        """A session that nobody knew: it takes the place that was promised to its user."""
        for key in [k for k, lease in self._leases.items() if k[0] == username]:
            if self._leases[key].server == server:
                return self._release(key)
        return None

    def _forget_old_leases(self) -> None:
        """They stand in the order in which they run out."""
        now = self._clock()
        while self._leases:
            key, lease = next(iter(self._leases.items()))
            if lease.until > now:
                return
            self._release(key)

    def _release(self, key: tuple[str, str]) -> None:
        self._pictures[self._leases.pop(key).server].promised -= 1


def _possible(load: Load) -> bool:
    """Loads are compared with one another: one that cannot be would win for ever, or break it."""
    counted = load.sessions >= 0 and load.factor >= 0
    return counted and 0.0 <= load.per_core < inf and 0.0 <= load.free_memory <= 1.0


def _own(server: Server, told: Iterable[Session]) -> tuple[Session, ...]:
    return tuple(session for session in told if session.server == server.name)
