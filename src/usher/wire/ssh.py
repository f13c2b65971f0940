"""The text protocol over SSH, where the transport has proved the name.

A status of 200 is for standard output; anything else is a sentence for standard error, with
nothing on standard output: x2goclient shows it and ends. Without it a client with a key would try
again for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from msgspec.structs import replace

from usher.errors import AuthFailed, BrokerError
from usher.model import Client, Reply, Request, Task, Vouched
from usher.wire import plain
from usher.wire.answer import NOWHERE, Answer
from usher.wire.form import read_request

_MUST_END = (Task.LOGIN, Task.TEST, Task.LIST)


@dataclass(frozen=True, slots=True)
class Ssh:
    """The wire of somebody who has logged in as ``user``, and may go by ``names`` as well.

    ``since``: when that was (seconds since 1970); None: just now.
    """

    user: str
    names: Collection[str] = ()
    since: float | None = None

    def read(self, body: bytes, client: Client) -> Request:
        """Read a form that names this user or nobody. Raises BadRequest and AuthFailed."""
        request = read_request(body, client)
        named = request.credential.username
        if named not in ("", self.user, *self.names):
            message = "Log in to the broker as the user that you ask for."
            raise AuthFailed(message, detail=f"{self.user!r} asks for {named!r}")
        return replace(request, credential=Vouched(self.user, self.since))

    def write(self, reply: Reply) -> Answer:
        """The answer; x2goclient looks for a server even in that to a test, or crashes."""
        made = plain.write(reply)
        if reply.task is Task.TEST:
            return replace(made, body=made.body + plain.server(NOWHERE).encode())
        return made

    def refuse(self, task: Task, error: BrokerError) -> Answer:
        """A sentence for standard error."""
        return replace(plain.refuse(task, error), status=403)

    def fail(self, task: Task, incident: str) -> Answer:
        """As over HTTP where that keeps the window open; else a sentence for standard error."""
        made = plain.fail(task, incident)
        return replace(made, status=500) if task in _MUST_END else made
