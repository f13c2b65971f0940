"""What every wire offers a front-end: bytes in, Request; Reply or refusal in, Answer."""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct

from usher.errors import BrokerError
from usher.model import Client, Reply, Request, Server, Task

_NOBODY = "no-server-available-please-try-later.invalid"
NOWHERE: Final = Server(_NOBODY, _NOBODY)
"""Where clients are sent when there is no server: they show the name and stay usable."""


class Answer(Struct, frozen=True):
    """What goes back to the client. ``status`` is an HTTP status."""

    body: bytes
    content_type: str
    status: int = 200


class Wire(Protocol):
    """A text protocol. The modules ``plain`` and ``json`` are wires."""

    def read(self, body: bytes, client: Client) -> Request:
        """Read a form. Raises BadRequest."""

    def write(self, reply: Reply) -> Answer:
        """The answer to a request whose login holds."""

    def refuse(self, task: Task, error: BrokerError) -> Answer:
        """The answer to a request that was refused as a whole."""

    def fail(self, task: Task, incident: str) -> Answer:
        """The answer when something is broken on our side; the log explains ``incident``."""
