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
