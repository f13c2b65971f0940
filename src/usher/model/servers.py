"""X2Go Servers: what is known of one, and of the sessions on it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from usher.model.discreet import Discreet
from usher.model.people import Address


class Server(Struct, frozen=True, cache_hash=True):
    """An X2Go Server: its own host name, and where clients reach it."""

    name: str
    address: str
    port: int = 22


class Load(Struct, frozen=True, cache_hash=True):
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


class Session(Discreet, frozen=True):
    """An X2Go session, as its server tells it; ``started`` and ``last`` in the server's own time.

    ``server`` is the server's own name, ``client`` an address, ``age`` counts seconds.
    """

    SECRET = ("cookie",)

    id: str
    user: str
    server: str
    state: State
    display: int
    agent_pid: int = 0
    client: str = ""
    cookie: str = ""
    graphics_port: int = 0
    sound_port: int = 0
    fs_port: int = 0
    started: str = ""
    last: str = ""
    age: int = 0


class Sight(Struct, frozen=True):
    """A server as its agent sees it now.

    ``sessions`` are all that are on it; None when the agent can only tell one user's. ``agent``
    is its name and version.
    """

    load: Load = Load()
    sessions: tuple[Session, ...] | None = None
    agent: str = ""


class Grant(Struct, frozen=True):
    """A public ``key`` (``TYPE BASE64``) that lets ``username`` log in to a server for ``seconds``.

    It counts from ``client`` only, and only ``permit_open`` may be reached through it: HOST:PORT,
    with commas between several. ``pty``: a terminal may be had with it. ``file`` is
    where an agent writes it that has no place of its own for keys, in the words of that agent.
    """

    username: str
    key: str
    seconds: int
    client: Address | None = None
    permit_open: str = "localhost:*"
    pty: bool = False
    file: str = "%h/.x2go/authorized_keys"


class Candidate(Struct, frozen=True, cache_hash=True):
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
