"""The log goes to standard error through a thread: no client waits for whoever reads it."""

from __future__ import annotations

import atexit
import logging
import os
from contextlib import suppress
from copy import copy
from queue import Full, Queue
from threading import Thread

STANDARD_ERROR = 2
MOST_WAITING = 10_000
"""Lines that may wait for a slow reader; further ones are counted and dropped."""

FAREWELL_SECONDS = 1.0


class ThreadedLog(logging.Handler):
    """Writes lines in a thread of its own. ``emit`` never waits."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Queue[str | None] = Queue(MOST_WAITING)
        self._lost = 0
        self._thread = Thread(target=self._write, name="log", daemon=True)
        self._thread.start()
        atexit.register(self._finish)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; say in front of it how many before it found no room."""
        lost = f"({self._lost} lines were lost here) " if self._lost else ""
        try:
            record = copy(record)
            record.msg, record.args = printable(record.getMessage()), None
            self._lines.put_nowait(f"{lost}{self.format(record)}\n")
            self._lost = 0
        except Full:
            self._lost += 1
        except Exception:  # noqa: BLE001 - as every handler: a log line must not fail a request
            self.handleError(record)

    def _write(self) -> None:
        while line := self._lines.get():
            # Whoever read it may be gone, or too slow for a pipe that does not block.
            with suppress(OSError):
                data = line.encode(errors="backslashreplace")
                while data:
                    data = data[os.write(STANDARD_ERROR, data) :]

    def _finish(self) -> None:
        """Write what is waiting, but do not wait for a reader that has gone."""
        try:
            self._lines.put_nowait(None)
        except Full:
            return
        self._thread.join(FAREWELL_SECONDS)


def printable(message: str) -> str:
    """A message as one line that no client can break or colour, whatever name it sent."""
    if message.isprintable():
        return message
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)


def start(level: int) -> None:
    """Begin to log."""
    handler = ThreadedLog()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
