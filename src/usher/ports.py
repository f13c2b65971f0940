"""Every way the broker meets the world, on one page. A plugin is a class with these methods.

Plugins keep no request state on ``self``: one instance serves all clients at once.
"No" is a BrokerError; "could not tell" is any other exception. Whoever asks somebody else has a
time-out of its own: a client waits for every method here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from usher.access import Catalogue
from usher.errors import Fault
from usher.model import (
    Candidate,
    Client,
    Credential,
    Grant,
    Option,
    Profile,
    Server,
    Session,
    Sight,
    User,
)


@runtime_checkable
class Authenticator(Protocol):
    async def authenticate(self, credential: Credential, client: Client) -> str:
        """Is it you? Return the proved user name, or raise AuthFailed.

        ``credential.authid`` is empty or a foreign one: the broker has looked at its own before.
        ``credential.answer_to`` asks for more; where the wire has no way to, it refuses.
        """


@runtime_checkable
class Directory(Protocol):
    async def user(self, username: str) -> User:
        """Who is that? Return the user with their groups; an unknown one is in no group."""


@runtime_checkable
class ProfileSource(Protocol):
    async def profiles(self, user: User) -> Catalogue:
        """What is on offer? The broker asks the catalogue what this user may see of it.

        The same object as long as nothing has changed: whoever keeps something about a
        catalogue can tell a new one by its identity.
        """

    async def servers(self, profile: Profile, user: User) -> Sequence[Server]:
        """The servers this user may be sent to for a profile they see; none means no server."""

    def known_servers(self) -> Collection[Server]:
        """Every server that any profile has named so far, for those who watch the farm."""


@runtime_checkable
class Selector(Protocol):
    def select(self, candidates: Sequence[Candidate], user: User) -> Server:
        """Pick one of the (never empty) candidates. No I/O, no waiting."""

    def why(self, candidate: Candidate, user: User) -> str:
        """What counts about a candidate, for people."""


@runtime_checkable
class Agent(Protocol):
    """What does the server say? An OSError from any of these says that it does not answer.

    ``shared_database``: every server knows the sessions of all of them. ``suspends``: there are
    servers on which it can suspend a session for good.
    """

    shared_database: bool
    suspends: bool

    async def look(self, server: Server) -> Sight:
        """How is the server now? Asked every two seconds: an agent may keep a connection."""

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """The user's sessions, running and suspended, that this server knows of."""

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Let a key in. Raises Unavailable when the server will not have it."""

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Let the key in no longer; one that is not there is no error."""

    async def suspend(self, server: Server, session: Session) -> None:
        """Begin to suspend the session. Raises Unavailable when this agent or server will not."""


@runtime_checkable
class Store(Protocol):
    def secret(self, name: str, make: Callable[[], bytes] | None = None) -> bytes:
        """32 random bytes, or others that are made, at the first call and the same ever after."""

    async def revoke(self, username: str, since: float) -> None:
        """Remember that this user's logins before ``since`` (seconds since 1970) are void."""

    async def revocations(self) -> Mapping[str, float]:
        """Every revocation: user name to the latest ``since``."""

    async def keep(self, kind: str, name: str, value: str) -> None:
        """Remember a value under this name, among others of its kind, instead of the one before."""

    async def drop(self, kind: str, name: str) -> None:
        """Forget it; what is not there is no error."""

    async def find(self, kind: str, name: str) -> str:
        """The value under this name. Raises KeyError when there is none."""

    async def kept(self, kind: str) -> Mapping[str, str]:
        """All of a kind, by name."""

    async def swap(self, kind: str, name: str, old: str, new: str) -> bool:
        """Put ``new`` in the place of ``old``, if that is what is kept; of many at once, one can.

        Return whether it was.
        """


@runtime_checkable
class Worker(Protocol):
    """A plugin with a life of its own may have this method beside those of its port."""

    async def run(self) -> None:
        """Work until cancelled: watch a file, keep a connection."""


@runtime_checkable
class Telling(Protocol):
    """An agent that is told of changes unasked may have this method beside those of its port."""

    async def news(self, server: Server) -> None:
        """Wait until ``look`` has something new to say, or would fail."""


@runtime_checkable
class Ranking(Protocol):
    """A selector that goes by one figure may have this method beside those of its port.

    Then ``select`` is not called: no server is looked at again before something about it changes.
    """

    def figure(self, candidate: Candidate) -> float:
        """The candidate with the lowest is selected; of equals, any. It goes by nothing else."""


@runtime_checkable
class OneTime(Protocol):
    """An authenticator may say with this attribute that no password lets in twice.

    Then nobody may pass it on to a server.
    """

    one_time: bool


@runtime_checkable
class Located(Protocol):
    """A source of profiles that reads files may have this method beside those of its port."""

    def places(self, key: str, value: Option) -> Sequence[tuple[Path, int]]:
        """File and line of everything that gives a profile key this value."""


@runtime_checkable
class Checked(Protocol):
    """A plugin that reads files may have this method beside those of its port."""

    def faults(self) -> Sequence[Fault]:
        """Everything wrong in the files as last read: file, line, key, what would be right."""


KINDS: Mapping[type, str] = {
    Authenticator: "authenticator",
    Directory: "directory",
    ProfileSource: "profiles",
    Selector: "selector",
    Agent: "agent",
    Store: "store",
}
"""The name that a port has in the configuration."""
