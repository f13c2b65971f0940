"""The yardstick: the broker's own HTTP stack, which reads the form and answers a constant."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from usher.frontends.http import HttpServer
from usher.frontends.tls import Certificate


def main() -> None:
    """``SIZE [CERTIFICATE]``: listen on a free port of loopback, with TLS given a certificate."""
    body = b"x" * int(sys.argv[1])
    files = [Path(name) for name in sys.argv[2:]]

    async def post(request: Request) -> Response:
        await request.body()
        return Response(body, headers={"content-type": "text/plain; charset=utf-8"})

    app = Starlette(routes=[Route("/plain/{rest:path}", post, methods=["POST"])])
    tls = Certificate(files[0], files[0]) if files else None
    uvloop.run(serve(HttpServer(app, "127.0.0.1", 0, tls)))


async def serve(server: HttpServer) -> None:
    """Serve until the process ends."""
    print("ready on", await server.listen(), file=sys.stderr, flush=True)
    await server.run_until(asyncio.Event())


if __name__ == "__main__":
    main()
