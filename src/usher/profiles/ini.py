"""The INI dialect of X2Go brokers: text into sections, a section into keys and their text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

COMMENTS = ("#", ";")


class Block(NamedTuple):
    """A section: its name, the line of its header (0: there is none) and what stands below it.

    The name is empty when the header cannot be read.
    """

    name: str
    line: int
    body: str


class Entry(NamedTuple):
    """A key and its text; ``line`` counts from the header. No text: the line is no entry."""

    line: int
    key: str
    text: str | None


def blocks(text: str) -> Iterator[Block]:
    """Cut a file into its sections; the first block is what stands before any of them."""
    text, start, line = "\n" + text, 0, 0
    while start >= 0:
        end = text.find("\n[", start)
        piece = text[start : end if end >= 0 else None]
        header, _, body = piece.partition("\n")
        yield Block(header[1 : max(header.rfind("]"), 0)], line, body)
        line += piece.count("\n") + 1
        start = end + 1 if end >= 0 else -1


def entries(body: str) -> Iterator[Entry]:
    """Read the lines of a section; one that is indented deeper continues the entry above it."""
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
                yield _entry(number, entry)
            number, depth, entry = current, indent, content
    if number:
        yield _entry(number, entry)


def _entry(line: int, content: str) -> Entry:
    """Split at the first ``=`` or ``:``."""
    key, equals, text = content.partition("=")
    if ":" in key:
        key, equals, text = content.partition(":")
    return Entry(line, key.rstrip(), text.strip() if equals else None)
