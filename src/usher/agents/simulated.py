"""A farm that is not there: to demonstrate, to test, to try more servers than one has.

All of it is a function of a seed, the names of the servers and the time: no clock is read in here
but in the agent at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log
from random import Random
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from usher.errors import Unavailable
from usher.model import Grant, Load, Server, Session, Sight, State

CORES = 8
ROOM = 200
"""With so many sessions, no memory is free."""

SLOW_SECONDS = 1.5
FADING_SECONDS = 0.05
"""How late a fading server answers at first; each time it doubles takes a tenth of its life."""

LIFE_SECONDS, ALIVE_SECONDS = 60.0, 40.0
FIRST_DAY = 1_750_000_000


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Something that is there for ``stay`` seconds of every ``period``."""

    period: float
    stay: float
    phase: float

    def began(self, at: float) -> float:
        """When it came last, seen from that time."""
        return (at + self.phase) // self.period * self.period - self.phase

    def on(self, at: float) -> bool:
        """Whether it is there at that time."""
        return at - self.began(at) < self.stay


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody who comes to one server again and again: works, suspends, and ends the session."""

    name: str
    server: str
    display: int
    rhythm: Rhythm

    def session(self, at: float) -> Session | None:
        """Their session at that time. For the first half of its life it runs."""
        began = self.rhythm.began(at)
        if at - began >= self.rhythm.stay:
            return None
        return _session(self, round(began), at - began < self.rhythm.stay / 2)

    def next_change(self, at: float) -> float:
        """When their session will be another, or none."""
        began, stay = self.rhythm.began(at), self.rhythm.stay
        changes = (began + stay / 2, began + stay, began + self.rhythm.period)
        return next((change for change in changes if change > at), at)


class Crowd:
    """The people of one server. What they do between two changes is worked out once."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self._people = people
        self._since, self._until = inf, -inf
        self._sessions: tuple[Session, ...] = ()

    def sessions(self, at: float) -> tuple[Session, ...]:
        """Those that are there at that time."""
        if not self._since <= at < self._until:
            found = [person.session(at) for person in self._people]
            self._sessions = tuple([session for session in found if session])
            self._until = min((p.next_change(at) for p in self._people), default=inf)
            self._since = at
        return self._sessions


class Moment(Struct, frozen=True):
    """What a server is like at one time. It answers after ``delay`` seconds, or refuses to.

    A liar's ``lies`` are sessions that it has no business to tell, or a load that cannot be.
    """

    up: bool
    delay: float
    sessions: tuple[Session, ...]
    lies: tuple[Session, ...] = ()
    nonsense: bool = False

    @property
    def load(self) -> Load:
        """It follows the sessions: those that run want processors, and all of them memory."""
        running = sum(session.state is State.RUNNING for session in self.sessions)
        count = len(self.sessions)
        return Load(count, running / CORES, max(0.0, 1 - count / ROOM))

    def sight(self) -> Sight:
        """What it tells."""
        if self.nonsense:
            return Sight(Load(-1, -1.0, 2.0))
        return Sight(self.load, self.sessions + self.lies, "simulated")


@dataclass(frozen=True)
class SimulatedFarm:
    """Servers as a function of a seed, their names and the time (in seconds). Knows no clock.

    ``people`` come to each server, from among ``users`` called user0, user1, … Servers answer
    after ``latency`` seconds as a rule, some of them later. ``slow`` ones are late, ``silent`` ones
    never answer; ``dying`` and ``fading`` ones die (these answer later and later before they do)
    and come back; ``lying`` ones tell sessions of other hosts, and loads that cannot be.
    """

    seed: int = 1
    people: int = 12
    users: int = 1000
    latency: float = 0.0
    slow: Collection[str] = ()
    silent: Collection[str] = ()
    dying: Collection[str] = ()
    fading: Collection[str] = ()
    lying: Collection[str] = ()

    def moment(self, name: str, at: float) -> Moment:
        """What the server of that name is like at that time."""
        life, crowd = _character(self.seed, name, self.people, self.users)
        sessions = crowd.sessions(at)
        up = life.on(at) or name not in self.dying
        moment = Moment(up, self._delay(name, life, at), sessions)
        if name not in self.lying:
            return moment
        foreign = tuple(replace(session, server=f"not-{name}") for session in sessions)
        return replace(moment, lies=foreign, nonsense=int(at) % 4 == 0)

    def _delay(self, name: str, life: Rhythm, at: float) -> float:
        if name in self.silent or name in self.fading and not life.on(at):
            return inf
        delay = SLOW_SECONDS if name in self.slow else 0.0
        if name in self.fading:
            delay += FADING_SECONDS * 2 ** ((at - life.began(at)) / ALIVE_SECONDS * 10)
        if self.latency:
            share = crc32(f"{self.seed} {name} {at}".encode()) / 2**32
            delay += self.latency * (0.5 - log(1 - share) / 2)
        return delay


@lru_cache(maxsize=4096)
def _character(seed: int, name: str, people: int, users: int) -> tuple[Rhythm, Crowd]:
    """What a server is like for good: how it lives and dies, and who works on it."""
    random = Random(f"{seed} {name}")  # noqa: S311 - plays, guards nothing
    life = Rhythm(LIFE_SECONDS, ALIVE_SECONDS, random.uniform(0, LIFE_SECONDS))
    return life, Crowd(tuple(_people(random, name, people, users)))


def _people(random: Random, server: str, people: int, users: int) -> Iterator[Person]:
    for number in range(people):
        period = random.uniform(60, 600)
        rhythm = Rhythm(period, period * random.uniform(0.1, 0.7), random.uniform(0, period))
        yield Person(f"user{random.randrange(users)}", server, 50 + number, rhythm)


@lru_cache(maxsize=1 << 16)
def _session(person: Person, began: int, runs: bool) -> Session:
    """Made once for each state of each session: twenty thousand are told of again and again."""
    began += FIRST_DAY
    last = began if runs else began + round(person.rhythm.stay / 2)
    ports = 30_000 + 3 * person.display
    return Session(
        id=f"{person.name}-{person.display}-{began}_stDXFCE_dp24",
        user=person.name,
        server=person.server,
        state=State.RUNNING if runs else State.SUSPENDED,
        display=person.display,
        agent_pid=person.display + 1000,
        client="192.0.2.1",
        cookie=f"{began:032x}",
        graphics_port=ports,
        sound_port=ports + 1,
        fs_port=ports + 2,
        started=_date(began),
        last=_date(last),
    )


def _date(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Simulated:
    """Servers that are not there, each with sessions that come and go.

    seed: another number is another farm; the same number is always the same one
    start: how many seconds of the farm's life have passed when the broker starts
    pace: how many seconds of it pass in one
    people: how many come to each server and go again; two fifths of them are there at a time
    users: among how many users, called user0, user1 and so on
    latency: seconds after which a server answers as a rule; now and then it takes longer
    slow: names of the servers that answer late
    silent: names of the servers that never answer
    dying: names of the servers that die and come back, again and again
    fading: names of the servers that answer later and later, then not at all, then again
    lying: names of the servers that tell sessions of other hosts, and loads that cannot be
    """

    shared_database = False
    suspends = False

    def __init__(
        self,
        *,
        seed: int = 1,
        start: float = 0.0,
        pace: float = 1.0,
        people: int = 12,
        users: int = 1000,
        latency: float = 0.0,
        slow: list[str] | None = None,
        silent: list[str] | None = None,
        dying: list[str] | None = None,
        fading: list[str] | None = None,
        lying: list[str] | None = None,
    ) -> None:
        named = (frozenset(names or ()) for names in (slow, silent, dying, fading, lying))
        self._farm = SimulatedFarm(seed, people, users, latency, *named)
        self._began, self._start, self._pace = time.monotonic(), start, pace

    async def look(self, server: Server) -> Sight:
        """The server at this time of the farm's life; a dead one is a ConnectionRefusedError."""
        passed = (time.monotonic() - self._began) * self._pace
        moment = self._farm.moment(server.name, self._start + passed)
        if moment.delay == inf:
            await asyncio.Event().wait()
        await asyncio.sleep(moment.delay)
        if not moment.up:
            raise ConnectionRefusedError(f"{server.name} is dead at the moment")
        return moment.sight()

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """Those of the user among all of the server's."""
        told = (await self.look(server)).sessions or ()
        return [session for session in told if session.user == username]

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Whoever could log in would find nobody there."""
        raise Unavailable("This server is simulated.")

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Nothing was authorised."""

    async def suspend(self, server: Server, session: Session) -> None:
        """There is no such session."""
        raise Unavailable("This server is simulated.")
