"""The text of a profile key into a value of its type, by the one table of keys."""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from usher.model import Option
from usher.options import FOLDER_MARKS, Key, Kind

_TRUTH: Final = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}
_PORTS: Final = frozenset(["rdpport", "sndport", "sshport", "sshproxyport"])
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)


def read_value(key: Key, text: str) -> Option:
    """The value that this text means. Raises ValueError with what would be right."""
    value = _READERS[key.kind](text)
    if key.choices and value not in key.choices:
        raise ValueError(f"{text!r} is not known: write {' or '.join(map(str, key.choices))}")
    if key.name in _PORTS and not 0 < int(str(value)) < 65536:
        raise ValueError(f"{text!r} is no port: write a number from 1 to 65535")
    return value


def doubts(key: Key, text: str, *, backslashes: bool) -> list[str]:
    """What can be read and is probably not meant, ``backslashes`` among it or not."""
    found = []
    if key.kind is Kind.ICON and not _is_icon(text):
        found.append("is no picture: write the base64 text of one, or an http(s) address")
    if key.kind is Kind.INT and not key.choices and int(text) < 1:
        found.append(f"{text!r} is no size: write a number from 1 on")
    if key.kind is Kind.EXPORT and not _is_export(text):
        found.append("shares nothing as it stands: write path:1; for each folder")
    if key.name == "name" and text.endswith("/"):
        found.append("has nothing behind its last slash, where clients look for what they show")
    if key.name == "sshproxyhost" and text.count(":") == 1:
        found.append(
            f"{text!r} has a port, which clients take for a part of the name: write sshproxyport"
        )
    if backslashes and "\\" in text and key.kind not in (Kind.BOOL, Kind.INT):
        found.append(
            'means its backslashes as they stand: write "..." for the escapes of X2Go Client'
        )
    return found


def split_list(text: str) -> tuple[str, ...]:
    """Read ``a, b``."""
    return tuple(filter(None, map(str.strip, text.split(","))))


@lru_cache(maxsize=1024)
def suggest(given: str, known: Iterable[str], otherwise: str) -> str:
    """What was probably meant, or else ``otherwise``."""
    other_case = [name for name in known if name.lower() == given.lower()]
    close = other_case or get_close_matches(given, known, n=1, cutoff=0.7)
    return f"did you mean {close[0]!r}?" if close else otherwise


def _bool(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is no truth value: write true or false") from None


def _int(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number: write digits only")
    return int(text)


def _is_export(text: str) -> bool:
    return all(folder.endswith(FOLDER_MARKS) for folder in text.split(";") if folder)


def _is_icon(text: str) -> bool:
    if not text or text.startswith((":icons/", ":/", "http://", "https://")):
        return True
    try:
        return bool(a2b_base64(text, strict_mode=True))
    except (NotBase64, ValueError):
        return False


_READERS: Final[Mapping[Kind, Callable[[str], Option]]] = {
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.LIST: split_list,
    Kind.STRING: str,
    Kind.PATH: str,
    Kind.ICON: str,
    Kind.EXPORT: str,
}
