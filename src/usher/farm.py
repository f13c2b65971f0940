"""What is known of every server now: up, load, sessions, places promised. Nobody waits here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from usher.changes import Changes
from usher.leases import Leases
from usher.model import Candidate, Load, Resumable, Server, Session, Sight
from usher.settings import Settings

REFUSALS = 3
SHUNNED_SECONDS = 300.0
"""A server that fails so many logins' keys in a row is tried last, for so long."""

NOTHING_SAID = Settings()


@dataclass(slots=True)
class _Picture:
    """``sessions``: by their ids. A server that nobody has looked at has none to tell."""

    up: bool = True
    why: str = ""
    since: float = 0.0
    heard: float = -inf
    sight: Sight = Sight(sessions=())
    sessions: Mapping[str, Session] = field(default_factory=dict)
    refusals: int = 0
    shunned_until: float = 0.0


@dataclass(slots=True)
class State:
    """What is known of a server, for people: up or down for ``since`` seconds, and ``why``.

    ``heard``: how many seconds ago it last answered; infinite when it never has.
    """

    server: Server
    up: bool
    why: str
    since: float
    heard: float
    drained: bool
    sight: Sight
    promised: int = 0


class Impossible(ValueError):
    """What a server tells of itself cannot be."""


class Farm:
    """The picture. A server nobody has told about counts as up and idle.

    ``leases``: places promised on its servers. ``changes``: whose outlook may be another now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pictures: defaultdict[Server, _Picture] = defaultdict(_Picture)
        self._sessions: defaultdict[str, dict[tuple[Server, str], Resumable]] = defaultdict(dict)
        self.changes = Changes()
        self.leases = Leases(clock, self.changes.add)
        self._drained: frozenset[str] = frozenset()
        self._untold: set[Server] = set()
        self._shunned: set[Server] = set()

    def meet(self, server: Server) -> None:
        """A profile names the server. One that is new counts as up."""
        if not self._pictures[server].since:
            self._turn(server, up=True)

    def seen(self, server: Server, sight: Sight) -> None:
        """The server answered. Raises Impossible for a load that cannot be.

        It is believed about its own sessions only.
        """
        if not _possible(sight.load):
            raise Impossible(f"no server can be like that: {sight.load}")
        picture = self._turn(server, up=True)
        picture.heard = self._clock()
        if sight.sessions != picture.sight.sessions:
            self._retell(server, picture, sight.sessions or ())
        if sight.load != picture.sight.load:
            self.changes.add(server)
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
            self._shunned.add(server)

    @property
    def shunned(self) -> Collection[Server]:
        """Those that others should be tried before."""
        return self._shunned and {s for s in self._shunned if self.is_shunned(s)}

    def is_shunned(self, server: Server) -> bool:
        """Should others be tried before it?"""
        return self._clock() < self._pictures[server].shunned_until

    def forget(self, server: Server) -> None:
        """Nobody is interested in the server any more."""
        self._retell(server, self._pictures[server], ())
        self._untold.discard(server)
        self._shunned.discard(server)
        self.leases.forget(server)
        del self._pictures[server]
        self.changes.add(server)

    def drain(self, names: Iterable[str]) -> None:
        """The servers of these names, and no others, take no new sessions from now on."""
        self._drained = frozenset(names)
        self.changes.add_all()

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

    def knows_of_none(self, username: str) -> bool:
        """Is it known without asking that this user has no session anywhere?"""
        return not self._untold and username not in self._sessions

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
        outlooks = self.outlooks(servers, settings).values()
        return [outlook for outlook in outlooks if isinstance(outlook, Candidate)]

    def outlooks(
        self, servers: Iterable[Server], settings: Settings
    ) -> Mapping[Server, Candidate | str]:
        """Every server as a candidate, or why it is none."""
        self.leases.forget_old()
        return {server: self.outlook(server, settings) for server in servers}

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
                self.leases.on(server),
            )
            for server, picture in self._pictures.items()
        ]

    def outlook(self, server: Server, settings: Settings) -> Candidate | str:
        """The server as a candidate, or why it is none; promises may be old ones."""
        return as_candidate(server, self.load(server), self.leases.on(server), settings)

    def load(self, server: Server) -> Load | str:
        """How busy the server is, or why it takes no new session at all."""
        picture = self._pictures[server]
        if not picture.up:
            return picture.why
        return "it is drained" if server.name in self._drained else picture.sight.load

    def _turn(self, server: Server, *, up: bool) -> _Picture:
        picture = self._pictures[server]
        if picture.up is not up or not picture.since:
            picture.up, picture.since = up, self._clock()
            self.changes.add(server)
        return picture

    def _retell(self, server: Server, picture: _Picture, told: Iterable[Session]) -> None:
        """Take the server's list of sessions instead of the one before."""
        before = picture.sessions
        picture.sessions = now = {s.id: s for s in told if s.server == server.name}
        for gone in before.keys() - now.keys():
            self._lose(before[gone], server)
        for name, session in now.items():
            if session != (known := before.get(name)):
                if known is None:
                    self.leases.arrived(session.user, server)
                elif known.user != session.user:
                    self._lose(known, server)
                self._sessions[session.user][server, name] = Resumable(session, server)

    def _lose(self, session: Session, server: Server) -> None:
        of_user = self._sessions[session.user]
        del of_user[server, session.id]
        if not of_user:
            del self._sessions[session.user]


def as_candidate(
    server: Server, load: Load | str, leases: int, settings: Settings
) -> Candidate | str:
    """A server that is as busy as that, or cannot be had, as a candidate, or why it is none."""
    if isinstance(load, str):
        return load
    name = server.name
    weight, cap = settings.weights.get(name, 1.0), settings.caps.get(name, 0)
    candidate = Candidate(server, load, leases, weight, cap)
    if cap and candidate.sessions >= cap:
        return f"it is full: {candidate.sessions} of {cap} sessions"
    return candidate


def _possible(load: Load) -> bool:
    """Loads are compared with one another: one that cannot be would win for ever, or break it."""
    counted = load.sessions >= 0 and load.factor >= 0
    return counted and 0.0 <= load.per_core < inf and 0.0 <= load.free_memory <= 1.0
