"""Stand-ins for the world outside. They keep the same promises as the real ones (see contracts)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from usher.access import Catalogue
from usher.errors import AuthFailed
from usher.model import Client, Credential, Load, Profile, Server, User


class FakeAgent:
    """An agent whose servers are as idle as told, until a misfortune befalls one by name.

    ``loads``: how busy they are; ``down``: do not answer; ``slow``: do not answer in any time
    that somebody would wait; ``broken``: answer what no agent can read.
    """

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.broken: set[str] = set()

    async def load(self, server: Server) -> Load:
        """The load that was told, or the misfortune."""
        if server.name in self.slow:
            await asyncio.Event().wait()
        if server.name in self.down:
            raise ConnectionRefusedError(f"{server.name} is down")
        if server.name in self.broken:
            raise ValueError(f"{server.name} talks nonsense")
        return self.loads.get(server.name, Load())


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

    def secret(self, name: str) -> bytes:
        """Made of the name and of which store it is."""
        seed = f"{id(self)} {name}".encode()
        return self._secrets.setdefault(name, sha256(seed).digest())

    async def revoke(self, username: str, since: float) -> None:
        """Remember the latest."""
        self._revocations[username] = max(since, self._revocations.get(username, since))

    async def revocations(self) -> Mapping[str, float]:
        """All of them."""
        return dict(self._revocations)


class FakeClock:
    """A clock that stands still unless it is put forward."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Seconds since whenever."""
        return self.now
