"""The words of usher-agent, read into ours; packaging/agent/README.md has them all."""

from __future__ import annotations

from typing import Annotated

import msgspec

from usher.agents.listing import checked_id, checked_user
from usher.agents.loadfactor import load_factor
from usher.model import Load, Session, State

PROTOCOL = 1

Number = Annotated[int, msgspec.Meta(ge=-1, lt=1 << 31)]
Average = Annotated[float, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^|\s]*$")]


class Hello(msgspec.Struct, tag_field="event", tag="hello"):
    """The first line: who speaks. ``why`` says what keeps it from doing more."""

    protocol: int
    version: Text
    host: Text
    privileged: bool = False
    why: str = ""


class Told(msgspec.Struct, tag_field="event", tag="load"):
    """How busy the server is."""

    load: tuple[Average, Average, Average]
    cores: Annotated[int, msgspec.Meta(ge=1)]
    memory_mb: Annotated[int, msgspec.Meta(ge=1)]
    available_mb: Annotated[int, msgspec.Meta(ge=0)]
    mhz: Annotated[int, msgspec.Meta(ge=0)] = 0


class Row(msgspec.Struct):
    """A session, in the agent's words."""

    id: Text
    user: Text
    server: Text
    state: State
    display: Number
    agent_pid: Number
    client: Text
    cookie: Text
    graphics_port: Number
    sound_port: Number
    fs_port: Number
    started: Text
    last: Text
    age: int


class Listed(msgspec.Struct, tag_field="event", tag="sessions"):
    """All sessions of the server."""

    sessions: list[Row]


class Answer(msgspec.Struct):
    """What became of a request; ``id`` is None when it could not even be read."""

    id: int | None
    ok: bool
    error: str = ""


Event = Hello | Told | Listed
_event = msgspec.json.Decoder(Event)
_answer = msgspec.json.Decoder(Answer)


def read(line: bytes) -> Event | Answer:
    """What a line says. Raises ValueError."""
    said: Event | Answer = (_event if b'"event"' in line[:12] else _answer).decode(line)
    if isinstance(said, Hello) and said.protocol != PROTOCOL:
        raise ValueError(f"it speaks protocol {said.protocol}, and {PROTOCOL} is needed")
    return said


def load_of(told: Told, sessions: int) -> Load:
    """The load, with the number of sessions that are told beside it."""
    free = min(told.available_mb / told.memory_mb, 1.0)
    factor = load_factor(told.available_mb, told.cores, told.mhz, sum(told.load) * 100 / 3 + 1)
    return Load(sessions, told.load[0] / told.cores, free, factor)


def sessions_of(listed: Listed, server: str) -> tuple[Session, ...]:
    """The sessions, on the server that we call so. Raises ValueError."""
    return tuple(
        Session(
            **msgspec.structs.asdict(row)
            | {"id": checked_id(row.id), "user": checked_user(row.user), "server": server}
        )
        for row in listed.sessions
    )
