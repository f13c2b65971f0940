"""The broker's whole job: who are you, what may you see, where do you go."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from usher import audit
from usher.accounts import AccountMaps
from usher.authid import AuthIds, Doubt
from usher.errors import AuthFailed, NoSuchProfile, Unavailable
from usher.keys import Keys, ServerLost
from usher.model import (
    Credential,
    Login,
    Profile,
    Reply,
    Request,
    Selection,
    Server,
    Session,
    Task,
    User,
    Vouched,
)
from usher.placing import Placer
from usher.ports import Authenticator, Directory, ProfileSource
from usher.settings import Policy

log = logging.getLogger(__name__)

PASSWORD_STAYS = "This broker cannot change passwords."  # noqa: S105 - a sentence

LOGIN_ENDED = "Your login has ended: please log in again."

ATTEMPTS = 3
"""Servers that may be lost during one selection."""

SELECT_SECONDS = 2.0
"""Nobody waits longer for servers that do not answer; each that is asked gets half of the rest."""

_GRANTS_NOTHING = {Doubt.EXPIRED, Doubt.REVOKED}
"""Doubts that do not matter for an event: refusing one pops up over a running session."""


class Broker:
    """One per configuration. Holds the plugins and no request state."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        directory: Directory,
        profiles: ProfileSource,
        placer: Placer,
        keys: Keys,
        authids: AuthIds,
        accounts: AccountMaps,
        listener: audit.Listener | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._profiles = profiles
        self._placer = placer
        self._keys = keys
        self._authids = authids
        self._accounts = accounts
        self._listener = listener
        self._clock = clock

    async def handle(self, request: Request) -> Reply:
        """Answer one request. Every front-end comes in here, and only here.

        Raises BrokerError when the request is refused as a whole.
        """
        try:
            reply = await self._answer(request)
        except Exception as error:
            if self._listener:
                self._listener(audit.refused(request, error))
            raise
        if self._listener:
            self._listener(audit.granted(request, reply))
        return reply

    async def _answer(self, request: Request) -> Reply:
        if request.task is Task.TEST:  # the clients send no credentials with it
            return Reply(request.task)
        login = await self._login(request)
        # Sealed whatever comes of the wish: a refusal must not cost the login.
        authid = self._authids.seal(login, request.client)
        reply = partial(Reply, request.task, login.user, authid, profile_id=request.profile_id)
        try:
            return await self._grant(request, login.user, reply)
        except Unavailable as error:
            return reply(unavailable=error)

    async def _grant(self, request: Request, user: User, reply: Callable[..., Reply]) -> Reply:
        match request.task:
            case Task.LIST:
                catalogue = await self._profiles.profiles(user)
                profiles = catalogue.visible(user, request.client)
                self._keys.foresee(profiles)
                sessions = await self._sessions(profiles, user)
                return reply(profiles=profiles, sessions=sessions)
            case Task.SELECT:
                return reply(selection=await self._select(request, user))
            case Task.SET_PASSWORD:
                return reply(password_refused=PASSWORD_STAYS)
        return reply()

    async def _login(self, request: Request) -> Login:
        """Who is it? An authid of ours decides, or else whoever the transport or a plugin says."""
        credential = request.credential
        if isinstance(credential, Vouched):
            return await self._vouched(credential, request)
        if credential.authid:
            claim = self._authids.read(credential.authid, credential.username, request.client)
            if not claim.doubt or request.task is Task.EVENT and claim.doubt in _GRANTS_NOTHING:
                user = await self._directory.user(claim.username)
                return Login(user, claim.since, credential.username)
            if claim.doubt is not Doubt.FOREIGN:
                credential = replace(credential, authid="")
        return await self._authenticate(credential, request)

    async def _vouched(self, proved: Vouched, request: Request) -> Login:
        """A connection may be open for longer than its login counts."""
        since = self._clock() if proved.since is None else proved.since
        doubt = self._authids.ended(proved.username, since)
        if doubt and request.task is not Task.EVENT:
            detail = f"the login of {proved.username!r} is {doubt.value}"
            raise AuthFailed(LOGIN_ENDED, detail=detail)
        return Login(await self._directory.user(proved.username), since)

    async def _authenticate(self, credential: Credential, request: Request) -> Login:
        username = await self._authenticator.authenticate(credential, request.client)
        user = await self._directory.user(username)
        return Login(user, self._clock(), credential.username)

    async def _select(self, request: Request, user: User) -> Selection:
        profile = await self._profile(request, user)
        servers = await self._profiles.servers(profile, user)
        owner: User | None = user
        if request.login not in ("", user.name):
            owner = await self._mapped(profile, request.login, user)
        if owner is None:
            return await self._placer.place(_with_nothing(profile), servers, user)
        if profile.settings.session_policy is Policy.TAKEOVER:
            await self._placer.take_over(servers, owner)
        if profile.settings.session_autologin:
            return await self._select_with_key(request, profile, servers, owner)
        return await self._placer.place(profile, servers, owner)

    async def _select_with_key(
        self, request: Request, profile: Profile, servers: Sequence[Server], owner: User
    ) -> Selection:
        """A server that lets a one-time key in; who is lost meanwhile is not waited for."""
        patience = _Patience(SELECT_SECONDS)
        for _ in range(ATTEMPTS):
            selection = await self._placer.place(profile, servers, owner, patience.half())
            with suppress(ServerLost):
                return await self._keys.hand_out(
                    selection,
                    profile,
                    owner,
                    request.client,
                    request.public_key,
                    patience=patience.half(),
                )
        log.warning("no one-time key for %s: %d servers were lost in turn", owner.name, ATTEMPTS)
        return await self._placer.place(profile, servers, owner, patience.half())

    async def _mapped(self, profile: Profile, login: str, user: User) -> User | None:
        """The user under the name they ask for, if the profile's map says that it is theirs."""
        path = profile.settings.login_map
        mapped = await self._accounts.of(user.name, path) if path else ()
        return replace(user, name=login) if login in mapped else None

    async def _sessions(
        self, profiles: Sequence[Profile], user: User
    ) -> Mapping[str, tuple[Session, ...]]:
        """The user's sessions by profile, under whatever name they have on its servers."""
        sessions = await self._placer.mine(profiles, user)
        for path in {profile.settings.login_map for profile in profiles} - {""}:
            mapped = [profile for profile in profiles if profile.settings.login_map == path]
            for account in await self._accounts.of(user.name, path) - {user.name}:
                found = await self._placer.mine(mapped, replace(user, name=account))
                sessions = {**sessions, **{n: sessions.get(n, ()) + s for n, s in found.items()}}
        return sessions

    async def _profile(self, request: Request, user: User) -> Profile:
        """The profile asked for, looked up among those this user may see."""
        catalogue = await self._profiles.profiles(user)
        profile = catalogue.find(request.profile_id, user, request.client)
        if profile is None:
            raise NoSuchProfile(detail=f"{request.profile_id!r} is unknown or hidden")
        return profile


def _with_nothing(profile: Profile) -> Profile:
    """The profile for somebody who gets a server, and none of the user's sessions is touched."""
    return replace(profile, settings=profile.settings.new_only())


class _Patience:
    """What is left of some seconds, to be given away by halves."""

    def __init__(self, seconds: float) -> None:
        self._now = asyncio.get_running_loop().time
        self._until = self._now() + seconds

    def half(self) -> float:
        """Half of what is left."""
        return max(self._until - self._now(), 0.0) / 2
