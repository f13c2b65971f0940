"""One entry of a profile: a key, what is said about it, and what is wrong with that."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from usher import settings
from usher.model import Option
from usher.options import KEYS
from usher.places import NOT_UTF8
from usher.profiles.hosts import read_hosts
from usher.profiles.ini import split
from usher.profiles.rules import ACL_KEYS, ANY_ORDER, LISTS, Unreadable, check, strange_names
from usher.profiles.values import doubts, read_value, suggest
from usher.qsettings import is_quoted, unquote

NOT_SET: Final = "not-set"
_HONOURED: Final = "holds here, as it did not with earlier brokers: see usher why"
_OPEN: Final = "and nobody is kept out by it: write ALL to the deny list to close"
_ONE_NAME: Final = "separate names with commas, without quotes, and write nothing behind them"
_ACL_KEYS: Final = tuple(sorted(ACL_KEYS))
_OURS: Final = frozenset(["status", "running", "suspended"])
_HALF: Final = re.compile("[\ud800-\udfff]")
_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)


class Use(Enum):
    """What becomes of a statement."""

    SEND = "goes to the client"
    ACL = "says who may see the profile"
    SETTING = "is for the broker"
    NOTHING = "is left out"
    BAD = "spoils every profile that has it"


@dataclass(frozen=True, slots=True)
class Note:
    """Something wrong with a key; ``line`` counts from the header of its section."""

    line: int
    key: str
    message: str
    warning: bool = False
    fatal: bool = False


class Statement(NamedTuple):
    """A key and its value, in its type when it is SENT (but ``host``) and a text otherwise."""

    key: str
    use: Use
    value: Option = ""
    notes: tuple[Note, ...] = ()


@lru_cache(maxsize=1024)
def read_line(entry: str) -> Statement:
    """Read an entry of an INI file. Most profiles say the same about most keys."""
    return read_entry(*split(entry))


def read_entry(key: str, text: str | None, *, literal: bool = False) -> Statement:
    """What is said about the key. ``literal``: the text is not in the client's own notation."""
    try:
        if text is None or not _KEY.fullmatch(key):
            raise ValueError("cannot be read: write key = value, the key of A-Z a-z 0-9 _ . -")
        if not is_text(text):
            raise ValueError(NOT_UTF8)
        if text == NOT_SET:
            taken = [f"is taken away, {_OPEN}"] if key in LISTS else []
            return _doubtful(key, Use.NOTHING, "", *taken)
        read = _READERS.get(key.partition("-")[0].lower(), _option)
        return read(sys.intern(key), text, literal)
    except ValueError as error:
        return spoilt(key, str(error))


def is_text(text: str) -> bool:
    """Were the bytes of the file UTF-8? Others are read as half surrogates."""
    return text.isascii() or not _HALF.search(text)


def spoilt(key: str, message: str) -> Statement:
    """A statement that nobody can use."""
    return Statement(key, Use.BAD, notes=(Note(0, printable(key), message),))


def printable(key: str) -> str:
    """A key as a message can name it, whatever was read as one."""
    return key[:40] if key.isprintable() else ascii(key[:40])


def _option(key: str, text: str, literal: bool) -> Statement:
    quoted = not literal and is_quoted(text)
    if quoted:
        text = unquote(text)
    known = KEYS.get(key)
    if known is None:
        meant = suggest(key, tuple(KEYS), "no client reads it")
        return _doubtful(key, Use.SEND, text, f"is unknown: {meant}")
    if key in _OURS:
        return _doubtful(key, Use.NOTHING, text, "is set by the broker, and left out here")
    if key == "host":
        found = [host.doubt for host in read_hosts(text, 22) if host.doubt]
        return _doubtful(key, Use.SEND, text, *found)
    value = read_value(known, text)
    found = doubts(known, text, backslashes=not (literal or quoted))
    return _doubtful(key, Use.SEND, value, *found)


def _acl(key: str, text: str, literal: bool) -> Statement:
    if key not in ACL_KEYS:
        meant = suggest(key, _ACL_KEYS, f"write {' or '.join(_ACL_KEYS)}")
        raise ValueError(f"is no such list: {meant}")
    try:
        check(key, text)
    except Unreadable as error:
        return Statement(key, Use.ACL, text, (Note(0, key, f"nobody passes: {error}"),))
    if key in LISTS and not text:
        return _doubtful(key, Use.ACL, text, f"is empty, {_OPEN}")
    honoured = key == ANY_ORDER and text == "allow-deny"
    strange = [f"{name!r} is one name: {_ONE_NAME}" for name in strange_names(key, text)]
    return _doubtful(key, Use.ACL, text, *([_HONOURED] if honoured else strange))


def _setting(key: str, text: str, literal: bool) -> Statement:
    if key in settings.IDLE:
        return Statement(key, Use.NOTHING)
    if key not in settings.KEYS:
        meant = suggest(key, (*settings.KEYS, *settings.IDLE), "the broker does not read it")
        return _doubtful(key, Use.NOTHING, "", f"is unknown: {meant}")
    settings.read(key, text)
    return _doubtful(key, Use.SETTING, text, *filter(None, [settings.doubt(key, text)]))


def _doubtful(key: str, use: Use, value: Option, *doubts: str) -> Statement:
    return Statement(key, use, value, tuple([Note(0, key, it, warning=True) for it in doubts]))


_READERS: Final[Mapping[str, Callable[[str, str, bool], Statement]]] = {
    "acl": _acl,
    "broker": _setting,
}
"""By what stands before the first hyphen of the key; in any case, lest a slip open a profile."""
