"""Which sessions does a user have? From the farm's picture, and where it has none, by asking."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from usher.farm import Farm
from usher.model import Resumable, Server, Session, State
from usher.ports import Agent

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""For one question; a server that takes longer is down."""

KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Answer:
    at: float
    sessions: Sequence[Session]


_Question = tuple[Server, str]


class Sessions:
    """Asks agents about one user, never the same twice at once, and remembers for a minute."""

    def __init__(
        self, agent: Agent, farm: Farm, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._agent = agent
        self._farm = farm
        self._clock = clock
        self._answers: dict[_Question, _Answer] = {}
        self._open: dict[_Question, asyncio.Task[None]] = {}

    async def of(
        self, username: str, servers: Collection[Server], *, max_age: float, patience: float
    ) -> list[Resumable]:
        """The user's sessions on those of the servers that are up: suspended first, then newest.

        Answers may be ``max_age`` seconds old. Who has to be asked is waited for ``patience``
        seconds; what they say later is for the next who wants to know.
        """
        found = [known for known in self._farm.sessions(username) if known.server in servers]
        if asked := self._whom_to_ask(servers):
            await self._ask(asked, username, max_age, patience)
            found += self._answered(asked, servers, username)
        # A host may be there twice, at two ports: each tells of the same sessions.
        once = {(known.session.server, known.session.id): known for known in found}
        return sorted(once.values(), key=_worth, reverse=True)

    def _whom_to_ask(self, servers: Iterable[Server]) -> list[Server]:
        """Where all servers share one database, any of them knows."""
        farm = self._farm
        if farm.tells_everything:
            return []
        asked = [s for s in servers if farm.is_up(s) and not farm.tells_all(s)]
        return asked[:1] if self._agent.shared_database else asked

    async def _ask(
        self, servers: Iterable[Server], username: str, max_age: float, patience: float
    ) -> None:
        self._forget()
        since = self._clock() - max_age
        questions = [(server, username) for server in servers]
        stale = [q for q in questions if q not in self._answers or self._answers[q].at < since]
        if stale:
            await asyncio.wait([self._task(question) for question in stale], timeout=patience)

    def _task(self, question: _Question) -> asyncio.Task[None]:
        """It ends by itself in time, and may be waited for by several, or by nobody any more."""
        task = self._open.get(question)
        if task is None:
            loop = asyncio.get_running_loop()
            task = self._open[question] = loop.create_task(self._put(question))
            task.add_done_callback(lambda _: self._open.pop(question, None))
        return task

    async def _put(self, question: _Question) -> None:
        server, username = question
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                sessions = await self._agent.sessions(server, username)
            self._answers.pop(question, None)  # they stand in the order of their age
            self._answers[question] = _Answer(self._clock(), sessions)
        except OSError as error:  # TimeoutError is one
            log.warning("%s does not tell the sessions of %s: %s", server.name, username, error)
            self._farm.silent(server, str(error))
        except Exception:  # one broken server must not hide the sessions on the others
            log.exception("%s tells of sessions what nobody can read", server.name)

    def _answered(
        self, asked: Iterable[Server], servers: Collection[Server], username: str
    ) -> Iterable[Resumable]:
        """What was said, as far as it is believed: of this user, and each server of itself."""
        for server in asked:
            answer = self._answers.get((server, username))
            within = servers if self._agent.shared_database else (server,)
            for session in answer.sessions if answer else ():
                where = server_called(session.server, within)
                if where and session.user == username and self._farm.is_up(where):
                    yield Resumable(session, where)

    def _forget(self) -> None:
        oldest = self._clock() - KEPT_SECONDS
        while self._answers:
            question, answer = next(iter(self._answers.items()))
            if answer.at > oldest:
                return
            del self._answers[question]


def server_called(name: str, servers: Iterable[Server]) -> Server | None:
    """The server of that name: exactly, or by the short name when that means only one."""
    alike = []
    for server in servers:
        if server.name == name:
            return server
        if _short(server.name) == _short(name) and not ("." in server.name and "." in name):
            alike.append(server)
    return alike[0] if len(alike) == 1 else None


def _short(name: str) -> str:
    return name.partition(".")[0]


def _worth(known: Resumable) -> tuple[bool, str]:
    """A suspended session waits for its user; of several, the one last used."""
    return known.session.state is State.SUSPENDED, known.session.last
