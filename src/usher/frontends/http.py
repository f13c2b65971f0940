"""HTTP and HTTPS: a form posted in, text out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from ipaddress import ip_network

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from usher.errors import BadRequest
from usher.frontends.boundary import Handler, answer
from usher.frontends.guard import PATIENCE, GuardedProtocol, Patience
from usher.frontends.tls import Certificate
from usher.model import Client, Network, Task, client_at
from usher.wire import json, plain
from usher.wire.answer import Answer, Wire

BODY_BYTES = 64 * 1024
BACKLOG = 4096

Headers = Mapping[bytes, bytes]
"""Names in small letters, and the last value of each."""


def http_app(handle: Handler, trusted_proxies: Sequence[str] = ()) -> Router:
    """The web application: two wires, and ``/health`` for those who watch.

    ``trusted_proxies``: addresses and networks. Raises ValueError for anything else.
    """
    trusted = [ip_network(proxy) for proxy in trusted_proxies]
    on_plain, on_json = (_Door(handle, wire, trusted) for wire in (plain, json))
    routes = [
        Route("/plain/{rest:path}", on_plain, methods=["POST"]),
        Route("/json/{rest:path}", on_json, methods=["POST"]),
        Route("/plain", on_plain, methods=["POST"]),
        Route("/json", on_json, methods=["POST"]),
        Route("/health", _health),
    ]
    return Router(routes, redirect_slashes=False)  # the clients do not follow


class _Door:
    """Answers what is posted to one wire. An ASGI application: what Starlette wraps costs more."""

    def __init__(self, handle: Handler, wire: Wire, trusted: Sequence[Network]) -> None:
        self._handle = handle
        self._wire = wire
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            body = await _body(headers, receive)
        except ClientDisconnect:
            return
        made = await self._answer(body, headers, scope)
        fields = [(b"content-type", made.content_type.encode())]
        fields.append((b"content-length", b"%d" % len(made.body)))
        await send({"type": "http.response.start", "status": made.status, "headers": fields})
        await send({"type": "http.response.body", "body": made.body})

    async def _answer(self, body: bytes | None, headers: Headers, scope: Scope) -> Answer:
        if body is None:
            return Answer(b"At most %d bytes.\n" % BODY_BYTES, plain.CONTENT_TYPE, 413)
        if headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
            return self._wire.refuse(Task.LOGIN, BadRequest("Send the form URL-encoded."))
        client = client_of(scope, self._trusted)
        return await answer(self._handle, self._wire, body, client)


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """The body, or None when it is too large. What still comes of it is read and forgotten."""
    if int(headers.get(b"content-length", 0)) > BODY_BYTES:  # the parser lets digits by only
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message["body"]
        more = message["more_body"]
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)


def client_of(scope: Scope, trusted: Sequence[Network]) -> Client:
    """Who is calling: the peer, or whom a chain of trusted proxies names."""
    client = client_at(scope["client"][0])
    if not trusted:
        return client
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    forwarded = b",".join(said).decode("latin-1").split(",")
    while forwarded and any(client.address in proxy for proxy in trusted):
        try:
            client = client_at(_without_port(forwarded.pop().strip()))
        except ValueError:
            break
    return client


def _without_port(text: str) -> str:
    """Some proxies write the client's port as well: ``192.0.2.7:4711``, ``[2001:db8::7]:4711``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


class HttpServer(uvicorn.Server):
    """uvicorn inside our own event loop: it binds where we say and leaves the signals to us."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        tls: Certificate | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=patience.idle,
            timeout_graceful_shutdown=patience.stop,
        )
        super().__init__(config)
        config.load()
        self._host, self._port, self._tls, self._patience = host, port, tls, patience
        self.lifespan = config.lifespan_class(config)

    async def listen(self) -> str:
        """Accept connections; return the URL. Raises OSError."""
        server = await asyncio.get_running_loop().create_server(
            lambda: GuardedProtocol(self.config, self.server_state, {}, patience=self._patience),
            self._host,
            self._port,
            backlog=BACKLOG,
            ssl=self._tls.context if self._tls else None,
            ssl_handshake_timeout=self._patience.header if self._tls else None,
            ssl_shutdown_timeout=self._patience.refusal if self._tls else None,
        )
        for listening in server.sockets:
            milliseconds = int(self._patience.reading * 1000)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self.servers = [server]
        await self.on_tick(0)  # the first answer is to have a date, too
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/"

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; then finish what has begun."""
        async with asyncio.TaskGroup() as tasks:
            clock = tasks.create_task(self._tell_the_time())
            await stop.wait()
            clock.cancel()
        await self.shutdown()

    async def _tell_the_time(self) -> None:
        """Keep the date that every answer carries."""
        while True:
            await self.on_tick(0)
            await asyncio.sleep(1)
