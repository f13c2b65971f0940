"""What clients ask, and what they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from usher.errors import Unavailable
from usher.model.discreet import Discreet
from usher.model.people import AuthId, Client, Credential, User, Vouched
from usher.model.profiles import Profile
from usher.model.servers import Candidate, Server, Session


class Task(StrEnum):
    """What a client may ask."""

    LOGIN = ""
    TEST = "testcon"
    LIST = "listsessions"
    SELECT = "selectsession"
    SET_PASSWORD = "setpass"  # noqa: S105 - the name of a task
    EVENT = "clientevent"


class Event(Struct, frozen=True):
    """What a client tells of its running session, word for word, in the order it came."""

    fields: Mapping[str, str]


class Resumable(Struct, frozen=True):
    """A session of the user, and the server of the profile it is on."""

    session: Session
    server: Server


class Selection(Discreet, frozen=True):
    """The answer to selectsession: where to go; ``chosen`` is what was known then (for the log).

    ``sessions`` are the user's own, the best first, all on servers with the port of ``server``.
    ``private_key`` (PEM) is for all these servers; ``key_accepted``: the client's own key is.
    """

    SECRET = ("private_key",)

    server: Server
    chosen: Candidate | None = None
    sessions: tuple[Resumable, ...] = ()
    private_key: str = ""
    key_accepted: bool = False


class Request(Discreet, frozen=True):
    """One question from one client, whatever the wire it came over."""

    SECRET = ("new_password",)

    task: Task
    credential: Credential | Vouched
    client: Client
    profile_id: str = ""
    login: str = ""
    public_key: str = ""
    new_password: str = ""
    event: Event | None = None


class Reply(Discreet, frozen=True):
    """One answer; the wire decides how it looks.

    ``unavailable`` says that the login holds but the wish could not be granted.
    ``profile_id`` is the one that was asked for; ``sessions`` are the user's own, by profile id.
    """

    SECRET = ("authid",)

    task: Task
    user: User | None = None
    authid: AuthId | None = None
    profiles: tuple[Profile, ...] = ()
    selection: Selection | None = None
    sessions: Mapping[str, tuple[Session, ...]] = {}
    password_refused: str = ""
    unavailable: Unavailable | None = None
    profile_id: str = ""
