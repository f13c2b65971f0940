"""A farm that is not there, for demonstrations and for trying out more servers than one has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from usher.errors import Unavailable
from usher.model import Grant, Load, Server, Session, Sight

PEOPLE = 12
CORES = 8
SLOW_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Something that is there for ``stay`` seconds of every ``period``."""

    period: float
    stay: float
    phase: float

    def on(self, at: float) -> bool:
        """Whether it is there at that time."""
        return (at + self.phase) % self.period < self.stay


@dataclass(frozen=True, slots=True)
class Character:
    """What a server is like for good: whether it lives on, who works on it, how late it answers."""

    life: Rhythm
    people: tuple[Rhythm, ...]
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """What a server is like at one time; it answers after ``delay`` seconds, or not at all."""

    up: bool
    load: Load
    delay: float


@dataclass(frozen=True)
class SimulatedFarm:
    """Servers as a function of a seed, their names and the time (in seconds). Knows no clock."""

    seed: int = 1
    slow: Collection[str] = ()
    dying: Collection[str] = ()

    def state(self, name: str, at: float) -> State:
        """What the server of that name is like at that time."""
        server = _character(self.seed, name, name in self.slow, name in self.dying)
        sessions = sum(person.on(at) for person in server.people)
        return State(server.life.on(at), Load(sessions, sessions / CORES), server.delay)


@lru_cache(maxsize=4096)
def _character(seed: int, name: str, slow: bool, dying: bool) -> Character:
    random = Random(f"{seed} {name}")  # noqa: S311 - plays, guards nothing
    periods = [random.uniform(60, 600) for _ in range(PEOPLE)]
    people = tuple(
        Rhythm(period, period * random.uniform(0.1, 0.7), random.uniform(0, period))
        for period in periods
    )
    life = Rhythm(60, 40 if dying else 60, random.uniform(0, 60))
    return Character(life, people, SLOW_SECONDS if slow else 0.0)


class Simulated:
    """Servers that are not there, each with sessions that come and go.

    seed: another number is another farm; the same number is always the same one
    start: how many seconds of the farm's life have passed when the broker starts
    slow: names of the servers that answer late
    dying: names of the servers that die and come back, again and again
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        start: float = 0.0,
        slow: list[str] | None = None,
        dying: list[str] | None = None,
    ) -> None:
        self._farm = SimulatedFarm(seed, frozenset(slow or ()), frozenset(dying or ()))
        self._began = time.monotonic() - start

    shared_database = False

    async def look(self, server: Server) -> Sight:
        """The load at this time of the farm's life; a dead server is a ConnectionRefusedError."""
        return Sight(await self._load(server))

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """The people of this farm are made up: none of them ever logs in to a broker."""
        await self._load(server)
        return ()

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Whoever could log in would find nobody there."""
        raise Unavailable("This server is simulated.")

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Nothing was authorised."""

    async def suspend(self, server: Server, session: Session) -> None:
        """There is no such session."""
        raise Unavailable("This server is simulated.")

    async def _load(self, server: Server) -> Load:
        state = self._farm.state(server.name, time.monotonic() - self._began)
        await asyncio.sleep(state.delay)
        if not state.up:
            raise ConnectionRefusedError(f"{server.name} is dead at the moment")
        return state.load
