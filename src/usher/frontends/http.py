"""HTTP and HTTPS: a form posted in, text out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_network
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from usher.errors import BadRequest
from usher.frontends.boundary import Handler, answer
from usher.frontends.guard import PATIENCE, GuardedProtocol, Patience
from usher.frontends.tls import Certificate
from usher.model import Client, Network, Task, client_at
from usher.wire import json, plain
from usher.wire.answer import Wire

BODY_BYTES = 64 * 1024
BACKLOG = 4096

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def http_app(handle: Handler, trusted_proxies: Sequence[str] = ()) -> Starlette:
    """The web application: two wires, and ``/health`` for those who watch.

    ``trusted_proxies``: addresses and networks. Raises ValueError for anything else.
    """
    trusted = [ip_network(proxy) for proxy in trusted_proxies]
    routes = [
        Route("/plain/{rest:path}", _post(handle, plain, trusted), methods=["POST"]),
        Route("/json/{rest:path}", _post(handle, json, trusted), methods=["POST"]),
        Route("/plain", _post(handle, plain, trusted), methods=["POST"]),
        Route("/json", _post(handle, json, trusted), methods=["POST"]),
        Route("/health", _health),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # the clients do not follow
    return app


def _post(handle: Handler, wire: Wire, trusted: Sequence[Network]) -> Endpoint:
    async def post(request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse(f"At most {BODY_BYTES} bytes.\n", status_code=413)
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            made = wire.refuse(Task.LOGIN, BadRequest("Send the form URL-encoded."))
        else:
            made = await answer(handle, wire, body, client_of(request, trusted))
        headers = {"content-type": made.content_type}
        return Response(made.body, status_code=made.status, headers=headers)

    return post


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is too large. What still comes of it is read and forgotten."""
    if int(request.headers.get("content-length", 0)) > BODY_BYTES:  # the parser lets digits by only
        return None
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY_BYTES:
            return None
    return b"".join(chunks)


def client_of(request: Request, trusted: Sequence[Network]) -> Client:
    """Who is calling: the peer, or whom a chain of trusted proxies names."""
    assert request.client is not None  # noqa: S101 - a TCP connection has a peer
    client = client_at(request.client.host)
    if not trusted:
        return client
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
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
        app: Starlette,
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
