"""One line of JSON per decision: who, from where, what, and what came of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from usher import places
from usher.errors import BrokerError
from usher.model import Reply, Request

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
MOST_WAITING = 100_000
"""Lines that may wait for a disk with room; the oldest go first."""


class Decision(msgspec.Struct, omit_defaults=True):
    """A line of the audit log. ``outcome`` is ``granted``, the reason of a refusal, or ``bug``."""

    time: float
    task: str
    user: str
    client: str
    outcome: str
    profile: str = ""
    server: str = ""
    detail: str = ""


Listener = Callable[[Decision], None]


def granted(request: Request, reply: Reply) -> Decision:
    """What to note about an answer."""
    line = Decision(
        time.time(),
        request.task.value or "login",
        reply.user.name if reply.user else "",
        str(request.client.address),
        "granted",
        request.profile_id,
    )
    if reply.selection:
        chosen = reply.selection.chosen
        line.server, line.detail = reply.selection.server.name, chosen.why if chosen else ""
    if reply.unavailable:
        line.outcome, line.detail = reply.unavailable.reason, reply.unavailable.detail
    if request.event:
        line.detail = " ".join(f"{key}={value}" for key, value in request.event.fields.items())
    return line


def refused(request: Request, error: Exception) -> Decision:
    """What to note about an error: a refusal, or a bug (whose details go to the other log)."""
    reason, detail = "bug", type(error).__name__
    if isinstance(error, BrokerError):
        reason, detail = error.reason, error.detail
    return Decision(
        time.time(),
        request.task.value or "login",
        request.credential.username,
        str(request.client.address),
        reason,
        request.profile_id,
        detail=detail,
    )


class AuditLog:
    """Gathers lines and appends them to a file in a thread, so that no client waits for a disk.

    The file is opened anew for every batch: whoever rotates it needs to tell nobody. A file that
    cannot be written to is an OSError at the start, and later a line in the other log.
    """

    def __init__(self, path: Path) -> None:
        places.appendable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        self._path = path
        self._lines: list[bytes] = []
        self._trouble = ""
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, line: Decision) -> None:
        """Take a line; it is written within FLUSH_SECONDS."""
        self._lines.append(self._encode(line))

    async def run(self) -> None:
        """Write what has come, until cancelled; then the rest."""
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                if self._lines:
                    await asyncio.to_thread(self._flush)
        finally:
            self._flush()

    def _flush(self) -> None:
        batch, self._lines = self._lines, []
        if not batch:
            return
        trouble = ""
        try:
            with self._path.open("ab") as file:
                file.write(b"\n".join(batch) + b"\n")
        except OSError as error:
            trouble = error.strerror or str(error)
            self._lines = [*batch, *self._lines][-MOST_WAITING:]  # for the next try
        if trouble != self._trouble:
            log.error("audit: %s: %s", self._path, trouble or "lines are written again")
        self._trouble = trouble
