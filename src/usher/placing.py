"""Where does this user go? To a session of theirs, or to the server that a selector picks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from usher.board import Board
from usher.errors import NoServer, Unavailable
from usher.farm import Farm
from usher.model import Candidate, Profile, Resumable, Selection, Server, Session, State, User
from usher.ports import Agent, Selector
from usher.sessions import Sessions
from usher.settings import Policy

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""How old an answer about sessions may be at a selection."""

PATIENCE_SECONDS = 2.0
"""How long one is waited for, where nobody says anything else."""

MARK_AGE_SECONDS = 60.0
MARK_PATIENCE_SECONDS = 0.6
"""The same for the marks of a list."""

TAKEOVER_SECONDS = 5.0
LOOK_SECONDS = 0.1

MOST_BOARDS = 1000

_ENOUGH = "session-limit-reached.invalid"
"""Shown by the client to whoever wants one more session than the profile permits."""


@dataclass(frozen=True, slots=True)
class Placer:
    """Finds the user's own sessions, and a server for a new one.

    ``selectors`` by name are for the profiles that ask for one, ``selector`` is for the others.
    """

    agent: Agent
    farm: Farm
    sessions: Sessions
    selector: Selector
    selectors: Mapping[str, Selector]
    _boards: dict[str, Board] = field(default_factory=dict)

    async def place(
        self,
        profile: Profile,
        servers: Sequence[Server],
        user: User,
        patience: float = PATIENCE_SECONDS,
    ) -> Selection:
        """Where this user goes for this profile. Raises NoServer.

        An agent that has to be asked is waited for ``patience`` seconds.
        """
        board = self._board(profile, servers)
        if self.farm.knows_of_none(user.name):
            return self._new(profile, board, user)
        own = await self._own(profile, board.servers, user, patience)
        if own and profile.settings.session_policy is not Policy.NEW:
            return self._resume(profile, board, user, own)
        if _has_enough(profile, own):
            raise NoServer(detail=f"{user.name} has {len(own)} sessions of {profile.id} already")
        self._tell_of_lost(board.servers, user)
        return self._new(profile, board, user)

    async def take_over(self, servers: Collection[Server], user: User) -> None:
        """Suspend the session that ``place`` would offer, if it runs and the agent can.

        That takes its time. Whatever comes of it, ``place`` offers what is there then.
        """
        if not self.agent.suspends:
            return
        try:
            async with asyncio.timeout(TAKEOVER_SECONDS):
                own = await self._look(servers, user, FRESH_SECONDS, PATIENCE_SECONDS)
                if own and not _waits(own[0]):
                    await self._suspend(own[0], user)
        except (Unavailable, OSError) as error:  # TimeoutError is one
            why = str(error) or "it takes too long"
            log.warning("no session of %s can be taken over: %s", user.name, why)

    async def mine(
        self, profiles: Iterable[Profile], user: User
    ) -> Mapping[str, tuple[Session, ...]]:
        """The user's sessions on the servers of each profile, by its id; only where there are any.

        Never waits long: what is not known in time is left out.
        """
        if self.farm.knows_of_none(user.name):
            return {}
        profiles = list(profiles)
        servers = list({server: None for profile in profiles for server in profile.servers})
        own = await self.sessions.of(
            user.name, servers, max_age=MARK_AGE_SECONDS, patience=MARK_PATIENCE_SECONDS
        )
        found = {p.id: tuple([o.session for o in own if o.server in p.servers]) for p in profiles}
        return {name: sessions for name, sessions in found.items() if sessions}

    async def explain(
        self, profile: Profile, servers: Sequence[Server], user: User
    ) -> AsyncIterator[str]:
        """For people: the user's sessions, then what speaks for each server, or against it."""
        for own in await self._look(servers, user, FRESH_SECONDS, PATIENCE_SECONDS):
            yield f"{own.server.name}: has {own.session.id}, {own.session.state.name.lower()}"
        for own in self.farm.out_of_reach(user.name):
            yield f"{own.server.name}: has {own.session.id}, out of reach"
        selector = self._selector(profile)
        for server, outlook in self.farm.outlooks(servers, profile.settings).items():
            if isinstance(outlook, Candidate):
                why = selector.why(outlook, user)
            else:
                why = f"left out: {outlook}"
            last = "; tried last: it refused keys" if self.farm.is_shunned(server) else ""
            yield f"{server.name}: {why}{last}"

    async def _own(
        self, profile: Profile, servers: Collection[Server], user: User, patience: float
    ) -> list[Resumable]:
        settings = profile.settings
        if settings.session_policy is Policy.NEW and not settings.session_limit:
            return []
        return await self._look(servers, user, FRESH_SECONDS, patience)

    async def _look(
        self, servers: Collection[Server], user: User, max_age: float, patience: float
    ) -> list[Resumable]:
        own = await self.sessions.of(user.name, servers, max_age=max_age, patience=patience)
        return [*_tellable(own)]

    def _resume(
        self, profile: Profile, board: Board, user: User, own: Sequence[Resumable]
    ) -> Selection:
        """The user's sessions, and a server for a new one beside them.

        X2Go Client uses one port for all that it is told, so others cannot be offered.
        """
        best = own[0]
        if self._decides(profile.settings.session_policy, best):
            return Selection(best.server, sessions=(best,))
        port = best.server.port
        selection = Selection(best.server)
        if _has_enough(profile, own):
            selection = Selection(Server(_ENOUGH, _ENOUGH, port))
        elif chosen := board.pick(user, self.farm.shunned, port):
            selection = Selection(chosen.server, chosen)
        offered = [resumable for resumable in own if resumable.server.port == port]
        return replace(selection, sessions=tuple(offered))

    def _new(self, profile: Profile, board: Board, user: User) -> Selection:
        """A place on a server, promised; not on the one that this user has just been sent to."""
        farm, leases = self.farm, self.farm.leases
        failed = leases.of(user.name, profile.id)
        chosen = board.pick(user, {failed, *farm.shunned} if failed else farm.shunned)
        if chosen is None:
            outlooks = farm.outlooks(board.servers, profile.settings)
            raise NoServer(detail=_against(profile, outlooks))
        leases.promise(user.name, profile.id, chosen.server)
        return Selection(chosen.server, chosen)

    def _tell_of_lost(self, servers: Collection[Server], user: User) -> None:
        """Why somebody begins anew who has left something behind."""
        for own in self.farm.out_of_reach(user.name):
            if own.server in servers:
                left, why = own.session.id, self.farm.why_down(own.server)
                log.warning("%s of %s is lost: %s: %s", left, user.name, own.server.name, why)

    def _board(self, profile: Profile, servers: Sequence[Server]) -> Board:
        """The one that was there before, as long as the servers are the same."""
        board = self._boards.get(profile.id)
        if board is None or not board.serves(servers, profile.settings):
            if len(self._boards) >= MOST_BOARDS:
                self._boards.clear()
            board = Board(self.farm, servers, profile.settings, self._selector(profile))
            self._boards[profile.id] = board
        return board

    def _selector(self, profile: Profile) -> Selector:
        return self.selectors.get(profile.settings.selector, self.selector)

    def _decides(self, policy: Policy, best: Resumable) -> bool:
        """Is it the best one or none? A session that could not be taken over is for the user."""
        taken_over = policy is Policy.TAKEOVER and self.agent.suspends and _waits(best)
        return taken_over or policy is Policy.RESUME

    async def _suspend(self, own: Resumable, user: User) -> None:
        """Have a session suspended, and see that it is done."""
        await self.agent.suspend(own.server, own.session)
        while True:
            now = await self._look([own.server], user, 0.0, PATIENCE_SECONDS)
            if any(known.session.id == own.session.id and _waits(known) for known in now):
                return
            await asyncio.sleep(LOOK_SECONDS)


def _tellable(own: Iterable[Resumable]) -> Iterator[Resumable]:
    """X2Go Client looks for ids within ids: of two that contain one another, the better one."""
    told: list[str] = []
    for resumable in own:
        name = resumable.session.id
        if not any(name in other or other in name for other in told):
            told.append(name)
            yield resumable


def _waits(own: Resumable) -> bool:
    return own.session.state is State.SUSPENDED


def _has_enough(profile: Profile, own: Sequence[Resumable]) -> bool:
    limit = profile.settings.session_limit
    return bool(limit) and len(own) >= limit


def _against(profile: Profile, outlooks: Mapping[Server, object]) -> str:
    """Why none of the servers of a profile can be had."""
    reasons = "; ".join(f"{server.name}: {why_not}" for server, why_not in outlooks.items())
    return f"no server for {profile.id}: {reasons or 'it has none'}"
