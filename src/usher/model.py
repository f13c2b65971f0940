"""The words of the trade. Values only: frozen, no I/O, no behaviour beyond their own sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NewType

from usher.errors import Unavailable
from usher.settings import Settings

AuthId = NewType("AuthId", str)
"""Lets a client come back without its password; ``AUTHID:`` and ``authid=`` on the wire."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

Option = str | int | bool | tuple[str, ...]
"""The value of one profile key, in the type that ``usher.options`` gives it."""

BROKER_USER = "BROKER_USER"
"""As the value of ``user`` in a profile: whoever logged in to the broker."""


class Task(StrEnum):
    """What a client may ask."""

    LOGIN = ""
    TEST = "testcon"
    LIST = "listsessions"
    SELECT = "selectsession"
    SET_PASSWORD = "setpass"  # noqa: S105 - the name of a task
    EVENT = "clientevent"


@dataclass(frozen=True, slots=True)
class Client:
    """The X2Go Client at the other end."""

    address: Address


@lru_cache(maxsize=4096)
def client_at(text: str) -> Client:
    """The client at this address; an IPv4-mapped one is the IPv4 address it means.

    Raises ValueError when the text is no address.
    """
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return Client(mapped or address)


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody claims about themselves; nothing in it is true yet."""

    username: str
    password: str = field(default="", repr=False)
    authid: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A name that the transport (SSH) has already proved."""

    username: str


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has proved their name, with the groups the directory knows."""

    name: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Login:
    """A proved user, when the proof was given (seconds since 1970), and the name that was typed."""

    user: User
    since: float
    typed: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """An X2Go Server: its own host name, and where clients reach it."""

    name: str
    address: str
    port: int = 22


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a server is: sessions on it, load average per core, share of free memory (0 to 1).

    ``factor`` is the figure of the existing load checker; 0 where nobody has worked it out.
    """

    sessions: int = 0
    per_core: float = 0.0
    free_memory: float = 1.0
    factor: int = 0


class State(StrEnum):
    """What a session does."""

    RUNNING = "R"
    SUSPENDED = "S"


@dataclass(frozen=True, slots=True)
class Session:
    """An X2Go session, as its server tells it; ``started`` and ``last`` in the server's own time.

    ``server`` is the server's own name, ``client`` an address, ``age`` counts seconds.
    """

    id: str
    user: str
    server: str
    state: State
    display: int
    agent_pid: int = 0
    client: str = ""
    cookie: str = field(default="", repr=False)
    graphics_port: int = 0
    sound_port: int = 0
    fs_port: int = 0
    started: str = ""
    last: str = ""
    age: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """A server as its agent sees it now.

    ``sessions`` are all that are on it; None when the agent can only tell one user's. ``agent``
    is its name and version.
    """

    load: Load = Load()
    sessions: tuple[Session, ...] | None = None
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A public ``key`` (``TYPE BASE64``) that lets ``username`` log in to a server for ``seconds``.

    It counts from ``client`` only, and only ``permit_open`` may be reached through it.
    """

    username: str
    key: str
    seconds: int
    client: Address | None = None
    permit_open: str = "localhost:*"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that may be selected; ``leases`` are places promised and not yet taken.

    ``weight`` says how much it bears beside others, ``cap`` how many sessions (0: any number).
    """

    server: Server
    load: Load
    leases: int = 0
    weight: float = 1.0
    cap: int = 0

    @property
    def sessions(self) -> int:
        """Those that are there, and those that are on their way."""
        return self.load.sessions + self.leases

    @property
    def why(self) -> str:
        """What speaks for it."""
        load = self.load
        return f"{load.sessions} sessions, {self.leases} promised, load {load.per_core:.2f}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One allow list and one deny list; ``ALL`` stands for everybody.

    ``broken`` says why a list could not be read: nobody passes a rule that nobody can read.
    """

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    allow_first: bool = False
    broken: str = ""

    def __bool__(self) -> bool:
        return bool(self.allow or self.deny or self.broken)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see a profile. Client entries are addresses, networks, host names or ``ALL``."""

    users: Rule = Rule()
    groups: Rule = Rule()
    clients: Rule = Rule()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Profile:
    """A session profile: what the client sees (``options``) and what only the broker knows.

    ``id`` can be sent back by every client. ``section`` is the name the administrator gave it;
    clients may use either. ``settings`` are its ``broker-*`` keys.
    """

    id: str
    servers: tuple[Server, ...]
    options: Mapping[str, Option]
    access: Access = Access()
    section: str = ""
    settings: Settings = Settings()

    @property
    def name(self) -> str:
        """What the client shows."""
        return str(self.options.get("name") or self.section or self.id)


@dataclass(frozen=True, slots=True)
class Event:
    """What a client tells of its running session, word for word, in the order it came."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resumable:
    """A session of the user, and the server of the profile it is on."""

    session: Session
    server: Server


@dataclass(frozen=True, slots=True)
class Selection:
    """The answer to selectsession: where to go; ``chosen`` is what was known then (for the log).

    ``sessions`` are the user's own, the best first, all on servers with the port of ``server``.
    ``private_key`` (PEM) is for all these servers; ``key_accepted``: the client's own key is.
    """

    server: Server
    chosen: Candidate | None = None
    sessions: tuple[Resumable, ...] = ()
    private_key: str = field(default="", repr=False)
    key_accepted: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One question from one client, whatever the wire it came over."""

    task: Task
    credential: Credential | Vouched
    client: Client
    profile_id: str = ""
    login: str = ""
    public_key: str = ""
    new_password: str = field(default="", repr=False)
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; the wire decides how it looks.

    ``unavailable`` says that the login holds but the wish could not be granted.
    ``profile_id`` is the one that was asked for; ``sessions`` are the user's own, by profile id.
    """

    task: Task
    user: User | None = None
    authid: AuthId | None = field(default=None, repr=False)
    profiles: tuple[Profile, ...] = ()
    selection: Selection | None = None
    sessions: Mapping[str, tuple[Session, ...]] = field(default_factory=dict)
    password_refused: str = ""
    unavailable: Unavailable | None = None
    profile_id: str = ""
