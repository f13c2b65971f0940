"""The keys of a section into a Profile, and a note of everything that is wrong with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from usher.model import BROKER_USER, Option, Profile
from usher.options import KEYS
from usher.profiles.hosts import read_hosts
from usher.profiles.ini import Entry
from usher.profiles.rules import ACL_KEYS, Unreadable, check, read_access
from usher.profiles.values import doubts, read_value, suggest
from usher.qsettings import is_quoted, unquote

NOT_SET: Final = "not-set"
DESKTOPS: Final = frozenset(
    ["CINNAMON", "GNOME", "ICEWM", "KDE", "LXDE", "MATE"]
    + ["OPENBOX", "TRINITY", "UNITY", "XDMCP", "XFCE"]
)
BROKER_KEYS: Final = (
    "broker-agent-hostkey-policy",
    "broker-agent-query-mode",
    "broker-authorized-keys",
    "broker-portscan-x2goservers",
    "broker-session-autologin",
    "broker-sshproxy-authorized-keys",
    "broker-use-load-checker",
)
_OURS: Final = frozenset(["status", "running", "suspended"])
_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)
_HALF: Final = re.compile("[\ud800-\udfff]")
_NAMESPACE: Final = re.compile(r"(acl|broker)-", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """Something wrong with a key; ``line`` counts from the header of its section."""

    line: int
    key: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """What one section says. ``options`` are in their types, but for the text of ``host``.

    None as an option says that the key is not to be sent. Profiles that have one of the ``bad``
    keys from here are left out.
    """

    options: dict[str, Option | None] = field(default_factory=dict)
    acl: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)

    def over(self, below: Layer) -> Layer:
        """Both: what this layer says, and what it inherits."""
        return Layer(
            below.options | self.options,
            below.acl | self.acl,
            below.settings | self.settings,
            below.keys | self.keys,
            below.bad - self.keys | self.bad,
            self.notes,
        )


BUILT_IN: Final = Layer(
    options={
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
)
"""What X2Go brokers have always assumed below [DEFAULT]."""


def read_layer(entries: Iterable[Entry], *, literal: bool = False) -> Layer:
    """Read the entries of one section. ``literal``: no text is in the client's own notation."""
    layer = Layer()
    for line, key, text in entries:
        try:
            for doubt in _put(layer, key, text, literal):
                layer.notes.append(Note(line, key, doubt, warning=True))
        except ValueError as error:
            layer.notes.append(Note(line, printable(key), str(error)))
            if not isinstance(error, Unreadable):
                layer.bad.add(key)
    return layer


def make_profile(name: str, section: str, own: Layer, inherited: Layer) -> Profile | None:
    """The profile ``name`` (its safe id), or None when what it says or inherits is bad."""
    if own.bad or not inherited.bad <= own.keys:
        return None
    merged = {**inherited.options, **own.options}
    options = {key: value for key, value in merged.items() if value is not None}
    command = str(options.get("command", "")).upper()
    if command in DESKTOPS:
        options |= {"command": command, "rootless": False}
    port = options.get("sshport", 22)
    servers = read_hosts(str(options.pop("host", "")), int(str(port))).servers
    return Profile(
        name,
        servers[:1] if command == "SHADOW" else servers,
        options,
        read_access(inherited.acl | own.acl),
        section,
        inherited.settings | own.settings if own.settings else inherited.settings,
    )


def is_text(text: str) -> bool:
    """Were the bytes of the file UTF-8? Others are read as half surrogates."""
    return text.isascii() or not _HALF.search(text)


def printable(key: str) -> str:
    """A key as a message can name it, whatever was read as one."""
    word = (key.split() or ["syntax"])[0][:40]
    return word if word.isprintable() else ascii(word)


def _put(layer: Layer, key: str, text: str | None, literal: bool) -> Iterable[str]:
    """Take one entry in, and tell what is doubtful about it. Raises ValueError."""
    if text is None or not _KEY.fullmatch(key):
        raise ValueError("cannot be read: write key = value, the key of A-Z a-z 0-9 _ . -")
    if key in layer.keys:
        raise ValueError("stands twice in this section: keep one")
    layer.keys.add(key)
    if not is_text(text):
        raise ValueError("is not UTF-8: save the file in that encoding")
    namespace = _NAMESPACE.match(key)
    put = _PUT[namespace[1].lower()] if namespace else _put_option
    return put(layer, key, text, literal)


def _put_option(layer: Layer, key: str, text: str, literal: bool) -> Iterable[str]:
    known = KEYS.get(key)
    if text == NOT_SET:
        layer.options[key] = None
        return ()
    quoted = not literal and is_quoted(text)
    if quoted:
        text = unquote(text)
    if known is None:
        layer.options[sys.intern(key)] = text
        return [f"is no key of a profile: {suggest(key, tuple(KEYS))}"]
    if key in _OURS:
        return ["is set by the broker, and left out here"]
    if key == "host":
        layer.options["host"] = text
        return read_hosts(text, 22).doubts
    layer.options[known.name] = read_value(known, text)
    return doubts(known, text, literal=not quoted)


def _put_acl(layer: Layer, key: str, text: str, literal: bool) -> Iterable[str]:
    if key not in ACL_KEYS:
        raise ValueError(f"is no such list: {suggest(key, tuple(sorted(ACL_KEYS)))}")
    layer.acl[key] = "" if text == NOT_SET else text
    check(key, layer.acl[key])
    return ()


def _put_setting(layer: Layer, key: str, text: str, literal: bool) -> Iterable[str]:
    if text != NOT_SET:
        layer.settings[key] = text
    return () if key in BROKER_KEYS else [f"is not known: {suggest(key, BROKER_KEYS)}"]


_PUT: Final[Mapping[str, Callable[[Layer, str, str, bool], Iterable[str]]]] = {
    "acl": _put_acl,
    "broker": _put_setting,
}
