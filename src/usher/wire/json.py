"""The JSON protocol of python-x2go, with HTTP's own words for a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from usher.errors import BadRequest, BrokerError
from usher.model import BROKER_USER, Option, Profile, Reply, Selection, Server, Task
from usher.options import EXPLICIT_IN_JSON, FOLDER_MARKS, KEYS, Key, Kind, Missing
from usher.wire.answer import NOWHERE, Answer
from usher.wire.form import read_request

CONTENT_TYPE: Final = "text/json; charset=utf-8"

read = read_request


def write(reply: Reply) -> Answer:
    """The answer to a request whose login holds."""
    body: dict[str, object] = {"task": _NAMES.get(reply.task, reply.task.value)}
    if reply.authid:
        body["next-authid"] = reply.authid
    return _answer(body | _BODIES[reply.task](reply))


def refuse(task: Task, error: BrokerError) -> Answer:
    """Anything but 200 is a refusal; python-x2go reads no further."""
    status = 400 if isinstance(error, BadRequest) else 401
    return _answer({"auth-status": str(error), "error": error.reason}, status)


def fail(task: Task, incident: str) -> Answer:
    """The answer when something is broken on our side; the log explains ``incident``."""
    return _answer({"error": "bug", "incident": incident}, 500)


def _answer(body: dict[str, object], status: int = 200) -> Answer:
    return Answer(msgspec.json.encode(body), CONTENT_TYPE, status)


def _login(reply: Reply) -> dict[str, object]:
    return {"auth-status": "OK"}


def _nothing(reply: Reply) -> dict[str, object]:
    return {}


def _list(reply: Reply) -> dict[str, object]:
    profiles: dict[str, object] = {}
    names: set[object] = set()
    for profile in reply.profiles:
        options = dict(_options(profile))
        options["name"] = _other_than(names, options["name"])
        names.add(options["name"])
        if options["user"] == BROKER_USER:
            options["user"] = reply.user.name if reply.user else ""
        profiles[profile.id] = options
    return {"mutable_profile_ids": [], "profiles": profiles}


def _select(reply: Reply) -> dict[str, object]:
    server = _destination(reply.selection) if reply.selection else NOWHERE
    session: dict[str, object] = {"server": server.address, "port": server.port}
    if reply.selection and reply.selection.key_accepted:
        session["authentication_pubkey"] = "ACCEPTED"
    return {"profile_id": reply.profile_id, "selected_session": session}


def _destination(selection: Selection) -> Server:
    """python-x2go is told no sessions: it looks for them itself, on the server it is sent to."""
    return selection.sessions[0].server if selection.sessions else selection.server


def _set_password(reply: Reply) -> dict[str, object]:
    reason = str(reply.unavailable) if reply.unavailable else reply.password_refused
    return {"password-changed": not reason, "reason": reason}


# python-x2go expects its own name for the task back.
_NAMES: Final = {Task.LIST: "listprofiles"}
_BODIES: Final[dict[Task, Callable[[Reply], dict[str, object]]]] = {
    Task.LOGIN: _login,
    Task.TEST: _nothing,
    Task.LIST: _list,
    Task.SELECT: _select,
    Task.SET_PASSWORD: _set_password,
    Task.EVENT: _nothing,
}


def _other_than(taken: set[object], name: object) -> object:
    """The name, with a number if it is taken: python-x2go raises when two profiles share one."""
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    return unique


_seen: Final[WeakKeyDictionary[Profile, dict[str, object]]] = WeakKeyDictionary()


def _options(profile: Profile) -> dict[str, object]:
    """What python-x2go is told of a profile. Worked out once per profile."""
    options = _seen.get(profile)
    if options is None:
        options = _seen[profile] = _DEFAULTS | _known(profile)
    return options


def _known(profile: Profile) -> dict[str, object]:
    """One key that python-x2go does not know, or one of another type, loses it the profile."""
    options = {
        name: _value(key, value)
        for name, value in profile.options.items()
        if (key := KEYS.get(name)) and _fits(key, value)
    }
    hosts = [server.name for server in profile.servers]
    return options | {"name": _sound(profile.name), "host": hosts}


def _fits(key: Key, value: Option) -> bool:
    return key.python_x2go is not Missing.NO and type(value) is _TYPES.get(key.kind, str)


def _value(key: Key, value: Option) -> object:
    if isinstance(value, tuple):
        return [_sound(item) for item in value]
    if isinstance(value, str):
        return _export(_sound(value)) if key.kind is Kind.EXPORT else _sound(value)
    return value


def _sound(text: str) -> str:
    """Half a surrogate pair has no place in JSON."""
    return text.encode("utf-8", "replace").decode()


def _export(folders: str) -> dict[str, bool]:
    """Read ``path:1;path:0;``."""
    return {
        folder[:-2]: folder.endswith("1")
        for folder in folders.split(";")
        if folder.endswith(FOLDER_MARKS)
    }


def _default(key: Key) -> object:
    """What x2goclient assumes; where that depends on the client, what python-x2go assumes."""
    value = key.python_x2go if key.x2goclient is Missing.UNKNOWN else key.x2goclient
    return "" if isinstance(value, Missing) else _value(key, value)


_TYPES: Final[dict[Kind, type]] = {Kind.BOOL: bool, Kind.INT: int, Kind.LIST: tuple}
_DEFAULTS: Final = {name: _default(KEYS[name]) for name in EXPLICIT_IN_JSON}
