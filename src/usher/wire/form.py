"""The form that every client posts, read once for all wires."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from usher.errors import BadRequest
from usher.model import Client, Credential, Event, Request, Task

MAX_FIELDS: Final = 32
MAX_LENGTH: Final = {
    "user": 256,
    "login": 256,
    "password": 4096,
    "newpass": 4096,
    "authid": 4096,
    "pubkey": 16384,
}
MAX_LENGTH_OF_OTHERS: Final = 1024
"""How long a field may be, in characters."""

_NAMES: Final = ("user", "login", "sid", "profile-id")
_EVENT: Final = (
    *("event", "sid", "server", "client", "login", "cmd", "display", "start", "elapsed"),
    *("version", "os"),
)
_TASKS: Final = {task.value: task for task in Task} | {"listprofiles": Task.LIST}
_find_control: Final = re.compile(r"[\x00-\x1f\x7f]").search


def read_request(body: bytes, client: Client) -> Request:
    """What the client asks. An unknown task is the login. Raises BadRequest."""
    form = read_form(body)
    get = form.get
    task = _TASKS.get(get("task", ""), Task.LOGIN)
    credential = Credential(get("user", "").strip(), get("password", ""), get("authid", ""))
    if task is Task.EVENT:
        event = Event({name: form[name] for name in _EVENT if name in form})
        return Request(task, credential, client, event=event)
    return Request(
        task,
        credential,
        client,
        profile_id=get("sid") or get("profile-id", ""),
        login=get("login", ""),
        public_key=get("pubkey", ""),
        new_password=get("newpass", ""),
    )


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form, each once and within its limit. Raises BadRequest."""
    try:
        pairs = body.decode().split("&", MAX_FIELDS)
        form = _fields(pairs)
    except UnicodeDecodeError as error:
        raise BadRequest(detail=f"not UTF-8: {error.reason}") from None
    for name in _NAMES:
        if _find_control(form.get(name, "")):
            raise BadRequest(detail=f"control character in {name!r}")
    return form


def _fields(pairs: list[str]) -> dict[str, str]:
    if len(pairs) > MAX_FIELDS:
        raise BadRequest(detail=f"more than {MAX_FIELDS} fields")
    form: dict[str, str] = {}
    for pair in filter(None, pairs):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        longest = MAX_LENGTH.get(name, MAX_LENGTH_OF_OTHERS)
        if len(value) > longest or len(name) > longest:
            raise BadRequest(detail=f"{name[:32]!r} is too long")
        if name in form:
            raise BadRequest(detail=f"{name!r} sent twice")
        form[name] = value
    return form


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode()
