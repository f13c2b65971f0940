"""A session as x2golistsessions prints it: 14 fields from PostgreSQL, 16 from SQLite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from usher.model import Session, State

_FIELDS: Final = (14, 16)
_is_id: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*-[0-9]+-[0-9]+_[A-Za-z0-9_.@-]+").fullmatch
_is_name: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}").fullmatch
_is_word: Final = re.compile(r"[!-{}~]{0,255}").fullmatch


def read_sessions(lines: Iterable[str]) -> Iterator[Session]:
    """The running and suspended sessions in these lines; others are none that could be resumed.

    Raises ValueError when a line is not one of x2golistsessions.
    """
    for line in lines:
        fields = [field.strip() for field in line.split("|")]  # PostgreSQL fills up the cookie
        if len(fields) not in _FIELDS or not all(map(_is_word, fields)):
            raise ValueError(f"not a line of x2golistsessions: {line[:200]!r}")
        if fields[4] in list(State):
            yield _session(fields)


def _session(fields: list[str]) -> Session:
    pid, name, display, server, state, started, cookie, client, *rest = fields
    graphics, sound, last, user, age, fs = rest[:6]
    return Session(
        id=checked_id(name),
        user=user,
        server=server,
        state=State(state),
        display=_number(display),
        agent_pid=_number(pid),
        client=client,
        cookie=cookie,
        graphics_port=_number(graphics),
        sound_port=_number(sound),
        fs_port=_number(fs),
        started=started,
        last=last,
        age=_number(age),
    )


def checked_id(name: str) -> str:
    """The id of a session, if it may be one: it may stand in a command. Raises ValueError."""
    if len(name) > 255 or not _is_id(name):
        raise ValueError(f"no id of a session: {name[:255]!r}")
    return name


def checked_user(name: str) -> str:
    """The name of an account, if it may be one: it may stand in a command. Raises ValueError."""
    if not _is_name(name):
        raise ValueError(f"no name of an account on a server: {name[:64]!r}")
    return name


def _number(text: str) -> int:
    """While a session starts, some of its numbers are still empty."""
    return int(text) if text else 0
