"""The text protocol of x2goclient. It alone knows what that client survives.

Always HTTP 200: x2goclient ends on anything else. A reply without the words ``Access granted`` is
a refusal and brings its login window back; nothing else closes or blocks that window.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from weakref import WeakKeyDictionary

from usher import qsettings
from usher.errors import BrokerError
from usher.model import (
    BROKER_USER,
    Option,
    Profile,
    Reply,
    Resumable,
    Server,
    Session,
    State,
    Task,
)
from usher.wire.answer import NOWHERE, Answer
from usher.wire.form import read_request

CONTENT_TYPE: Final = "text/plain; charset=utf-8"

_GRANTED: Final = "Access granted\n"
_TEST: Final = _GRANTED + ("." * 79 + "\n") * 128
_USER: Final = "\0"

read = read_request


def write(reply: Reply) -> Answer:
    """The answer to a request whose login holds."""
    authid = f"AUTHID:{reply.authid}\n" if reply.authid else ""
    return _answer(authid + _BODIES[reply.task](reply))


def refuse(task: Task, error: BrokerError) -> Answer:
    """A sentence: all that counts is that it grants nothing, whatever the error says."""
    return _answer(str(error).replace("Access granted", "Access is granted") + "\n")


def fail(task: Task, incident: str) -> Answer:
    """The answer that keeps the window open, though something is broken on our side."""
    reason = f"Something went wrong on our side (incident {incident})."
    match task:
        case Task.SELECT:
            return _answer(_GRANTED + server(NOWHERE))
        case Task.SET_PASSWORD:
            return _answer(_GRANTED + _password_changed(reason))
        case Task.EVENT:
            return _answer(_GRANTED)
    return _answer(reason + "\n")


def _answer(text: str) -> Answer:
    return Answer(text.encode("utf-8", "replace"), CONTENT_TYPE)


def _login(reply: Reply) -> str:
    return _GRANTED


def _test(reply: Reply) -> str:
    """Big, because the client computes a speed from it."""
    return _TEST


def _list(reply: Reply) -> str:
    name = reply.user.name if reply.user else ""
    user = qsettings.quote(name)
    profiles = "".join([user.join(_block(profile)) for profile in reply.profiles])
    if reply.sessions:
        profiles = "".join([_marked(profile, user, reply.sessions) for profile in reply.profiles])
    return f"{_GRANTED}START_USER_SESSIONS\n\n{profiles or _nothing_for(name)}END_USER_SESSIONS\n"


def _select(reply: Reply) -> str:
    selection = reply.selection
    if not selection:
        return _GRANTED + server(NOWHERE)
    keyed = selection.private_key or selection.key_accepted
    mark = "!" if keyed else ""  # with it, no terminal is asked for: keys forbid it
    told = _GRANTED + server(selection.server, mark) + selection.private_key
    return told + _sessions(reply, selection.sessions, mark) if selection.sessions else told


def _sessions(reply: Reply, own: Sequence[Resumable], mark: str) -> str:
    """The user's sessions, as far as the client can be told where they are."""
    user = reply.user.name if reply.user else ""
    lines = [f"{_line(each, mark, user)}\n" for each in own if _host(each.server)]
    return "SESSION_INFO:" + "".join(lines) if lines else ""


def _set_password(reply: Reply) -> str:
    reason = str(reply.unavailable) if reply.unavailable else reply.password_refused
    return _GRANTED + _password_changed(reason)


_BODIES: Final[dict[Task, Callable[[Reply], str]]] = {
    Task.LOGIN: _login,
    Task.TEST: _test,
    Task.LIST: _list,
    Task.SELECT: _select,
    Task.SET_PASSWORD: _set_password,
    Task.EVENT: _login,
}
_is_host: Final = re.compile(r"[!-9;-~]+").fullmatch
_separators: Final = re.compile(r"[|\s]").sub


@lru_cache(maxsize=4096)
def server(where: Server, mark: str = "") -> str:
    """The line that sends a client there."""
    host = _host(where)
    return f"SERVER:{mark}{host}:{where.port}\n" if host else server(NOWHERE)


def _host(server: Server) -> str:
    """x2goclient splits its line at colons: a name stands in for an IPv6 address."""
    if _is_host(server.address):
        return server.address
    return server.name if _is_host(server.name) else ""


def _line(resumable: Resumable, mark: str, user: str) -> str:
    """A session as x2golistsessions prints it, with the fifteenth field that brokers add."""
    told = resumable.session
    fields = (
        *(told.agent_pid, told.id, told.display, f"{mark}{_host(resumable.server)}", told.state),
        *(told.started, told.cookie, told.client, told.graphics_port, told.sound_port, told.last),
        *(told.user, told.age, told.fs_port, user),
    )
    return "|".join([_separators("_", str(field)) for field in fields])


def _password_changed(reason: str) -> str:
    """Without this line x2goclient crashes."""
    return f"PASSWORD CHANGED: {' '.join(reason.split()) or 'OK'}\n"


def _nothing_for(name: str) -> str:
    """x2goclient ends when it is shown no profile, so it is shown one. A slash makes folders."""
    text = f"No session profiles for {name.replace('/', ' ')}."
    return f"[no-session-profiles]\nname={qsettings.quote(text)}\nhost=\n\n"


_blocks: Final[WeakKeyDictionary[Profile, list[str]]] = WeakKeyDictionary()


def _block(profile: Profile) -> list[str]:
    """The profile's section, in pieces that the user's name joins. Written once per profile."""
    block = _blocks.get(profile)
    if block is None:
        block = _blocks[profile] = _section(profile).split(_USER)
    return block


def _marked(profile: Profile, user: str, sessions: Mapping[str, tuple[Session, ...]]) -> str:
    """The profile's section, with what its user has running and suspended there."""
    block, own = user.join(_block(profile)), sessions.get(profile.id, ())
    if not own:
        return block
    suspended = sum(session.state is State.SUSPENDED for session in own)
    marks = f"status={State.SUSPENDED if suspended else State.RUNNING}\n"
    if profile.settings.session_counts:
        marks += f"running={len(own) - suspended}\nsuspended={suspended}\n"
    return f"{block[:-1]}{marks}\n"


_is_key: Final = re.compile(r"[A-Za-z0-9_.-]+").fullmatch


def _section(profile: Profile) -> str:
    """No option's value can hold the mark that stands for the user's name: it is escaped."""
    options = {**profile.options, "name": profile.name, "host": _hosts(profile)}
    lines = [
        f"{key}={_value(key, value)}\n"
        for key, value in options.items()
        if _is_key(key) and not qsettings.has_marker(key)
    ]
    return f"[{profile.id}]\n{''.join(lines)}\n"


def _hosts(profile: Profile) -> tuple[str, ...]:
    return tuple(server.name for server in profile.servers)


def _value(key: str, value: Option) -> str:
    if key == "user" and value == BROKER_USER:
        return _USER
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return qsettings.quote(",".join(value))
    return qsettings.quote(str(value))
