"""What a section says, and what it inherits, into a Profile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from usher.model import BROKER_USER, Option, Profile
from usher.profiles.hosts import read_hosts
from usher.profiles.rules import read_access
from usher.profiles.statements import Note, Statement, Use, spoilt
from usher.settings import settings

DESKTOPS: Final = frozenset(
    ["CINNAMON", "GNOME", "ICEWM", "KDE", "LXDE", "MATE"]
    + ["OPENBOX", "TRINITY", "UNITY", "XDMCP", "XFCE"]
)
_BUILT_IN: Final[Mapping[str, Option]] = {
    **dict.fromkeys(("export", "layout", "variant"), ""),
    **dict.fromkeys(("iconvfrom", "iconvto"), "UTF-8"),
    **dict.fromkeys(("sshport", "sshproxyport"), 22),
    **dict.fromkeys(("defsndport", "useexports", "print", "xinerama", "usekbd"), True),
    **dict.fromkeys(("fstunnel", "sound", "rootless", "soundtunnel"), True),
    **dict.fromkeys(("kdrive", "useiconv", "fullscreen", "multidisp", "directrdp"), False),
    "applications": ("TERMINAL", "WWWBROWSER", "MAILCLIENT", "OFFICE"),
    "command": "TERMINAL",
    "dpi": 96,
    "height": 600,
    "host": "localhost",
    "pack": "16m-jpeg",
    "quality": 9,
    "setdpi": False,
    "sndport": 4713,
    "soundsystem": "pulse",
    "speed": 2,
    "type": "auto",
    "user": BROKER_USER,
    "width": 800,
}

Layer = Mapping[str, Statement]
"""What one section says, by key; ``{**below, **above}`` is what a section says and inherits."""

BUILT_IN: Final[Layer] = {key: Statement(key, Use.SEND, value) for key, value in _BUILT_IN.items()}
"""What X2Go brokers have always assumed below [DEFAULT]."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one section says, and what is wrong with it."""

    layer: Layer
    notes: tuple[Note, ...]


def read_section(statements: Iterable[tuple[int, Statement]]) -> Reading:
    """Gather statements and their lines; two about one key are both of no use."""
    layer: dict[str, Statement] = {}
    notes: list[Note] = []
    for line, statement in statements:
        if statement.key in layer:
            statement = spoilt(statement.key, "stands twice in this section: keep one")
        layer[statement.key] = statement
        if statement.notes:
            notes += [replace(note, line=line) for note in statement.notes]
    return Reading(layer, tuple(notes))


def make_profile(name: str, section: str, layer: Layer) -> Profile | None:
    """The profile under this id, or None when any of its statements is bad."""
    others = [statement for statement in layer.values() if statement.use is not Use.SEND]
    if any(statement.use is Use.BAD for statement in others):
        return None
    options = {key: said.value for key, said in layer.items() if said.use is Use.SEND}
    command = str(options.get("command", "")).upper()
    if command in DESKTOPS:
        options |= {"command": command, "rootless": False}
    port = options.get("sshport", 22)
    hosts = read_hosts(str(options.pop("host", "")), int(str(port)))
    return Profile(
        name,
        tuple([host.server for host in (hosts[:1] if command == "SHADOW" else hosts)]),
        options,
        read_access(_texts(others, Use.ACL)),
        section,
        settings(_texts(others, Use.SETTING)),
    )


def _texts(statements: Iterable[Statement], use: Use) -> dict[str, str]:
    return {said.key: str(said.value) for said in statements if said.use is use}
