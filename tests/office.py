"""A broker, with fakes for the world around it."""

from __future__ import annotations

from typing import Any

from fakes import FakeAgent, FakeAuthenticator, FakeClock, FakeProfiles
from msgspec.structs import replace

from usher.access import Catalogue
from usher.accounts import AccountMaps
from usher.audit import Decision
from usher.authid import AuthIds
from usher.broker import Broker
from usher.directory.flat import Flat
from usher.farm import Farm
from usher.keys import Keys, Pair, Pool
from usher.model import (
    Access,
    AuthId,
    Credential,
    Profile,
    Reply,
    Request,
    Rule,
    Server,
    Task,
    client_at,
)
from usher.placing import Placer
from usher.selection.first import First
from usher.sessions import Sessions
from usher.settings import Settings

HERE, THERE = client_at("192.0.2.1"), client_at("192.0.2.2")
ONE, TWO = Server("ts1", "10.0.0.1"), Server("ts2", "10.0.0.2")
DESKTOP = Profile("desktop", (ONE, TWO), {}, section="My Desktop")
STAFF = Profile("staff", (TWO,), {}, Access(groups=Rule(allow=frozenset({"staff"}))))
EMPTY = Profile("empty", (), {})
LIFETIME = 100.0
WITH_LOGIN = [task for task in Task if task is not Task.TEST]


class Office:
    """A broker, and everything around it at hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.authenticator = FakeAuthenticator({"alice": "wonder", "bob": "builder"})
        self.profiles = FakeProfiles(DESKTOP, STAFF, EMPTY)
        self.farm = Farm(self.clock)
        self.agent = agent = FakeAgent()
        self.pool = Pool(5)
        self.revoked: dict[str, float] = {}
        self.heard: list[Decision] = []
        self.broker = Broker(
            authenticator=self.authenticator,
            directory=Flat(groups={"staff": ["alice"]}),
            profiles=self.profiles,
            placer=Placer(agent, self.farm, Sessions(agent, self.farm, self.clock), First(), {}),
            keys=Keys(agent, self.farm, self.pool),
            accounts=AccountMaps(),
            authids=AuthIds(
                b"s" * 32,
                lifetime=LIFETIME,
                bind_address=True,
                revoked=self.revoked,
                clock=self.clock,
            ),
            listener=self.heard.append,
            clock=self.clock,
        )

    def autologin(self, *down: str, **settings: Any) -> None:
        """From now on the desktop wants one-time keys; these servers will not answer for one."""
        self.pool._pairs.extend([Pair("ssh-rsa A", "PRIVATE")] * 5)
        profile = replace(DESKTOP, settings=Settings(session_autologin=True, **settings))
        self.profiles.catalogue = Catalogue([profile])
        self.agent.down = {*down}

    async def ask(self, task: Task = Task.LOGIN, user: str = "alice", **more) -> Reply:
        """Ask with a password."""
        password = self.authenticator.passwords[user]
        return await self.broker.handle(Request(task, Credential(user, password), HERE, **more))

    async def come_back(self, authid: AuthId | None, user: str = "alice", **more) -> Reply:
        """Ask with an authid and no password."""
        asked = {"task": Task.LOGIN, "client": HERE, **more}
        return await self.broker.handle(Request(credential=Credential(user, "", authid), **asked))
