"""The built-in SSH server in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from fakes import FakeStore
from inprocess import DEADLINE_SECONDS, granting

from usher.frontends.boundary import Handler
from usher.frontends.ssh import SshServer

STORE = FakeStore()


@dataclass
class Served:
    """A server that accepts connections."""

    port: int
    stop: asyncio.Event
    running: asyncio.Task[None]

    def login(self, username: str = "alice", **options: Any) -> Any:
        """A connection that is logged in, or an exception of asyncssh's."""
        usual = {"password": "wonder", "preferred_auth": "password", "client_keys": None}
        return asyncssh.connect(
            "127.0.0.1",
            self.port,
            config=None,
            known_hosts=None,
            agent_path=None,
            username=username,
            **usual | options,
        )


@asynccontextmanager
async def serving(handle: Handler = granting, keys: Path | None = None) -> AsyncIterator[Served]:
    """The server, until the end of the block."""
    server = SshServer(
        handle, host="127.0.0.1", port=0, host_keys=[], authorized_keys=keys, secret=STORE.secret
    )
    url = await server.listen()
    stop = asyncio.Event()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run_until(stop))
        try:
            yield Served(int(url.rsplit(":", 1)[1]), stop, running)
        finally:
            stop.set()
