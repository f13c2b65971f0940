"""Stand-ins for the world outside. They keep the same promises as the real ones (see contracts)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256

from usher.access import Catalogue
from usher.errors import AuthFailed, Unavailable
from usher.model import (
    Client,
    Credential,
    Grant,
    Load,
    Profile,
    Server,
    Session,
    Sight,
    User,
)


class FakeAgent:
    """An agent whose servers are as told, until a misfortune befalls one by name.

    ``loads``: how busy they are; ``told``: sessions that it can only tell of one user at a time,
    ``known``: those it tells unasked. ``down``: do not answer; ``slow``: do not answer in any time
    that somebody would wait; ``broken``: answer what no agent can read; ``unwilling``: refuse.
    """

    shared_database = False
    suspends = True

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}
        self.told: list[Session] = []
        self.known: list[Session] | None = None
        self.authorized: set[tuple[str, Grant]] = set()
        self.suspended: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.broken: set[str] = set()
        self.unwilling: set[str] = set()

    async def look(self, server: Server) -> Sight:
        """What was told, or the misfortune."""
        await self._befall(server)
        load = self.loads.get(server.name, Load())
        if self.known is None:
            return Sight(load)
        return Sight(load, tuple(s for s in self.known if s.server == server.name))

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """Those that were told of this user on this server."""
        self.asked.append((server.name, username))
        await self._befall(server)
        sessions = [*self.told, *(self.known or ())]
        return [s for s in sessions if (s.server, s.user) == (server.name, username)]

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Remember the key."""
        await self._befall(server)
        self.authorized.add((server.name, grant))

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Forget the key."""
        await self._befall(server)
        self.authorized.discard((server.name, grant))

    async def suspend(self, server: Server, session: Session) -> None:
        """Remember who was to be suspended."""
        await self._befall(server)
        self.suspended.append(session.id)

    async def _befall(self, server: Server) -> None:
        if server.name in self.slow:
            await asyncio.Event().wait()
        if server.name in self.down:
            raise ConnectionRefusedError(f"{server.name} is down")
        if server.name in self.broken:
            raise ValueError(f"{server.name} talks nonsense")
        if server.name in self.unwilling:
            raise Unavailable(f"{server.name} will not")


class FakeAuthenticator:
    """An authenticator that knows these passwords, and remembers what it was asked.

    ``broken``: could not tell whether anybody is who they say.
    """

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self.passwords = passwords
        self.asked: list[Credential] = []
        self.broken = False

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name whose password it is."""
        self.asked.append(credential)
        if self.broken:
            raise RuntimeError("the authenticator is broken")
        if self.passwords.get(credential.username) != credential.password:
            raise AuthFailed
        return credential.username


class FakeProfiles:
    """A source of profiles that were made by hand."""

    def __init__(self, *profiles: Profile) -> None:
        self.catalogue = Catalogue(profiles)

    async def profiles(self, user: User) -> Catalogue:
        """All of them."""
        return self.catalogue

    async def servers(self, profile: Profile, user: User) -> Sequence[Server]:
        """Those of the profile."""
        return profile.servers

    def known_servers(self) -> Collection[Server]:
        """Those of every profile."""
        return {server for profile in self.catalogue.profiles for server in profile.servers}


class FakeStore:
    """A store that forgets everything when it is thrown away."""

    def __init__(self) -> None:
        self._secrets: dict[str, bytes] = {}
        self._revocations: dict[str, float] = {}
        self._kept: dict[tuple[str, str], str] = {}

    def secret(self, name: str, make: Callable[[], bytes] | None = None) -> bytes:
        """Made of the name and of which store it is, unless somebody else makes it."""
        if name not in self._secrets:
            seed = f"{id(self)} {name}".encode()
            self._secrets[name] = make() if make else sha256(seed).digest()
        return self._secrets[name]

    async def revoke(self, username: str, since: float) -> None:
        """Remember the latest."""
        self._revocations[username] = max(since, self._revocations.get(username, since))

    async def revocations(self) -> Mapping[str, float]:
        """All of them."""
        return dict(self._revocations)

    async def keep(self, kind: str, name: str, value: str) -> None:
        """Remember it."""
        self._kept[kind, name] = value

    async def drop(self, kind: str, name: str) -> None:
        """Forget it."""
        self._kept.pop((kind, name), None)

    async def find(self, kind: str, name: str) -> str:
        """The one."""
        return self._kept[kind, name]

    async def swap(self, kind: str, name: str, old: str, new: str) -> bool:
        """Remember it, if the other one is there."""
        if self._kept.get((kind, name)) != old:
            return False
        self._kept[kind, name] = new
        return True

    async def kept(self, kind: str) -> Mapping[str, str]:
        """All of the kind."""
        return {name: value for (of, name), value in self._kept.items() if of == kind}


class FakeClock:
    """A clock that stands still unless it is put forward."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Seconds since whenever."""
        return self.now
