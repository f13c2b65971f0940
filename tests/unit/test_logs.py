"""The log: in order, in one line each, and nobody waits for whoever reads it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from usher import logs
from usher.logs import ThreadedLog, printable


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    monkeypatch.setattr(logs, "STANDARD_ERROR", writer)
    monkeypatch.setattr(logs, "MOST_WAITING", 5)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def say(log: ThreadedLog, *messages: str) -> None:
    for message in messages:
        log.handle(logging.makeLogRecord({"msg": message}))


def test_lines_come_in_their_order(pipe):
    log = ThreadedLog()
    say(log, "one", "two")
    log._finish()
    assert os.read(pipe[0], 100) == b"one\ntwo\n"


def test_nobody_waits_for_a_reader_that_has_stopped_and_the_lost_are_counted(pipe):
    reader, writer = pipe
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    log = ThreadedLog()
    say(log, *(f"line {number}" for number in range(20)))
    read = b""
    while b"line 4" not in read:  # the reader is back
        read += os.read(reader, 65536)
    say(log, "the next one")
    while b"the next one" not in read:
        read += os.read(reader, 65536)
    assert b"lines were lost here) the next one" in read
    log._finish()


def test_a_reader_that_has_gone_ends_no_log(pipe, monkeypatch: pytest.MonkeyPatch):
    gone_reader, gone = os.pipe()
    os.close(gone_reader)
    monkeypatch.setattr(logs, "STANDARD_ERROR", gone)
    log = ThreadedLog()
    say(log, "to nobody")
    while not log._lines.empty():
        pass
    monkeypatch.setattr(logs, "STANDARD_ERROR", pipe[1])
    say(log, "to somebody")
    log._finish()
    assert b"to somebody" in os.read(pipe[0], 100)
    os.close(gone)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Grüße, alice", "Grüße, alice"),
        ("alice\nERROR forged", "alice\\nERROR forged"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u2028\u202e", "\\u2028\\u202e"),
    ],
)
def test_no_name_breaks_or_colours_a_line(message: str, line: str):
    assert printable(message) == line


def test_a_traceback_keeps_its_lines(pipe):
    log = ThreadedLog()
    try:
        raise ValueError("why")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    log.handle(logging.makeLogRecord({"msg": "it broke", "exc_info": info}))
    log._finish()
    text = os.read(pipe[0], 10_000)
    assert text.startswith(b"it broke\nTraceback")
    assert b"ValueError: why" in text
