"""The INI dialect of X2Go brokers: text into sections, a section into keys and their text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

COMMENTS: Final = ("#", ";")

# What has a bracket and no key before it was meant as a header, even if half of it is lost.
_HEADER: Final = re.compile(
    r"^(?P<indent>[^\S\n]*+)(?:\[(?:(?P<name>[^\n]+)\])?|[^\n=:#;\]]*+\])[^\n]*", re.MULTILINE
)
_CONTENT: Final = re.compile(r"^([^\S\n]*+)[^\s#;]", re.MULTILINE)


class Block(NamedTuple):
    """A section: its name, the line of its header (0: there is none) and what stands below it.

    The name is empty when the header cannot be read.
    """

    name: str
    line: int
    body: str


def blocks(text: str) -> Iterator[Block]:
    """Cut a file into its sections; the first block is what stands before any of them."""
    name, line, start = "", 0, 0
    for header in _headers(text):
        yield Block(name, line, text[start : max(start, header.start() - 1)])
        line += text.count("\n", start, header.start()) + 1
        name, start = header["name"] or "", header.end() + 1
    yield Block(name, line, text[start:])


def _headers(text: str) -> Iterator[re.Match[str]]:
    """The lines that begin a section: all that are no deeper than every entry above them."""
    seen, depth = 0, math.inf
    for line in _HEADER.finditer(text):
        indent = len(line["indent"])
        if indent:
            above = _CONTENT.findall(text, seen, line.start())
            seen, depth = line.start(), min(depth, *map(len, above), math.inf)
        if indent <= depth:
            seen, depth = line.end(), math.inf
            yield line


def entries(body: str) -> Iterator[tuple[int, str]]:
    """The entries of a section, whole, and the lines they begin at, counted from the header.

    A line that is indented deeper than the one above it continues that one.
    """
    number, depth, entry = 0, 0, ""
    for current, line in enumerate(body.split("\n"), 1):
        content = line.strip()
        if content.startswith(COMMENTS):
            continue
        indent = len(line) - len(line.lstrip()) if content else depth + 1
        if indent > depth and number:
            entry += "\n" + content
        elif content:
            if number:
                yield number, entry.rstrip()
            number, depth, entry = current, indent, content
    if number:
        yield number, entry.rstrip()


def split(entry: str) -> tuple[str, str | None]:
    """The key and its text; without ``=`` or ``:`` there is no text."""
    key, separator, text = entry.partition("=")
    if ":" in key:
        key, separator, text = entry.partition(":")
    return (key.rstrip(), text.lstrip()) if separator else (key.split()[0], None)
