"""Text in the notation of Qt's INI files, which x2goclient reads profiles in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import iter_unpack
from typing import Final

# x2goclient looks for these words anywhere in a reply before it reads any INI file. `<br>` it
# even replaces by a line feed. A value that holds one goes out with the first letter escaped.
_MARKER: Final = (
    "<br>|AUTHID:|Access granted|SERVER:|SESSION_INFO|(?:START|END)_(?:USER_SESSIONS|CLIENT_CONFIG)"
    "|PASSWORD CHANGED|SUSPEND|TERMINATE|-----(?:BEGIN|END)|X2GODATA(?:BEGIN|END)|LOGIN OK"
)
_SHORT: Final = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Qt reads as many hexadecimal digits as there are: a digit after an escape must be one as well.
_ESCAPED: Final = re.compile(rf'["\\\n\r\t]|(?:[^ -~\n\r\t]+|(?={_MARKER}).)[0-9A-Fa-f]*')
_NEEDS_QUOTES: Final = re.compile(r"[,;=\\]|^ | $")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]*)|([0-7]+)|(\r\n|\n\r|.))", re.DOTALL)
_MEANING: Final = dict(zip("abfnrtv\"?'\\", "\a\b\f\n\r\t\v\"?'\\", strict=True))
_quoted: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).fullmatch
_find_marker: Final = re.compile(_MARKER).search


def quote(text: str) -> str:
    """Write a text so that x2goclient reads back exactly it: one line of printable ASCII.

    Half a surrogate pair is no text and becomes U+FFFD.
    """
    if text.startswith("@"):
        text = "@" + text
    escaped = _ESCAPED.sub(_escape, text)
    return f'"{escaped}"' if _NEEDS_QUOTES.search(escaped) else escaped


def has_marker(text: str) -> bool:
    """Would x2goclient mistake something in this text for a word of its protocol?"""
    return _find_marker(text) is not None


def is_quoted(value: str) -> bool:
    """Is the whole value one text in double quotes, and so in the client's own notation?"""
    return _quoted(value) is not None


def unquote(value: str) -> str:
    """What x2goclient reads from a value that is_quoted.

    Qt's typed values (``@Rect(...)``) are not among what a profile can hold and stay as they are.
    """
    text = _sound(_ESCAPE.sub(_meant, value[1:-1]))
    return text[1:] if text.startswith("@@") else text


def _escape(match: re.Match[str]) -> str:
    text = match[0]
    return _SHORT.get(text) or "".join(rf"\x{unit:x}" for unit in _utf16(text))


def _utf16(text: str) -> Iterator[int]:
    """The text in the units that Qt holds it in."""
    for (unit,) in iter_unpack("<H", _sound(text).encode("utf-16-le")):
        yield unit


def _meant(match: re.Match[str]) -> str:
    """What an escape stands for; nothing, if Qt does not know it."""
    hexadecimal, octal, letter = match.groups()
    if letter:
        return _MEANING.get(letter, "")
    unit = int(octal, 8) if octal else int(hexadecimal, 16) if hexadecimal else None
    return "" if unit is None else chr(unit & 0xFFFF)


def _sound(text: str) -> str:
    """Join the halves of surrogate pairs; what is half for good becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
