"""The HTTP front-end in the test's own event loop, with a broker behind it that grants all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property

from usher.errors import AuthFailed
from usher.frontends.boundary import Handler
from usher.frontends.guard import PATIENCE, Patience
from usher.frontends.http import HttpServer, http_app
from usher.frontends.tls import Certificate
from usher.model import Reply, Request, Task, User

DEADLINE_SECONDS = 10.0
FORM = b"user=alice&password=wonder"
GRANTED = b"Access granted\n"


async def granting(request: Request) -> Reply:
    """Whoever says a name is let in."""
    if not request.credential.username and request.task is not Task.TEST:
        raise AuthFailed
    return Reply(request.task, User(request.credential.username))


def post(body: bytes = FORM, *headers: bytes, path: bytes = b"/plain/") -> bytes:
    """A request as a client writes it."""
    lines = [b"POST %b HTTP/1.1" % path, b"Host: x", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join((*lines, b"", body))


@dataclass
class Client:
    """A connection of a client that knows no HTTP and writes what the test tells it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Write, and do not wait."""
        self.writer.write(data)

    @cached_property
    def ending(self) -> asyncio.Task[bytes]:
        """Ends with the connection, and has what came until then."""
        return asyncio.get_running_loop().create_task(self._rest())

    async def _rest(self) -> bytes:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.reader.read()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and its body."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            return status, await self.reader.readexactly(int(fields.get(b"content-length", 0)))


@dataclass
class Served:
    """A front-end that accepts connections."""

    server: HttpServer
    host: str
    port: int
    stop: asyncio.Event

    @asynccontextmanager
    async def client(self, *sent: bytes) -> AsyncIterator[Client]:
        """A connection on which this has been sent."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        client = Client(reader, writer)
        for data in sent:
            client.send(data)
            await writer.drain()
        try:
            yield client
        finally:
            writer.transport.abort()

    async def exchange(self, *sent: bytes) -> bytes:
        """Send this; return all that comes until the server closes the connection."""
        async with self.client(*sent) as client:
            return await client.ending


@asynccontextmanager
async def serving(
    handle: Handler = granting,
    *,
    patience: Patience = PATIENCE,
    trusted_proxies: Sequence[str] = (),
    tls: Certificate | None = None,
) -> AsyncIterator[Served]:
    """The front-end, until the end of the block."""
    server = HttpServer(http_app(handle, trusted_proxies), "127.0.0.1", 0, tls, patience)
    url = await server.listen()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run_until(stop))
        try:
            yield Served(server, "127.0.0.1", int(url.rsplit(":", 1)[1].strip("/")), stop)
        finally:
            stop.set()
