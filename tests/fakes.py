"""Stand-ins for the world outside. They keep the same promises as the real ones (see contracts)."""

from __future__ import annotations

import asyncio

from usher.model import Load, Server


class FakeAgent:
    """An agent whose servers are as idle as told, until a misfortune befalls one by name.

    ``loads``: how busy they are; ``down``: do not answer; ``slow``: do not answer in any time
    that somebody would wait; ``broken``: answer what no agent can read.
    """

    def __init__(self) -> None:
        self.loads: dict[str, Load] = {}
        self.down: set[str] = set()
        self.slow: set[str] = set()
        self.broken: set[str] = set()

    async def load(self, server: Server) -> Load:
        """The load that was told, or the misfortune."""
        if server.name in self.slow:
            await asyncio.Event().wait()
        if server.name in self.down:
            raise ConnectionRefusedError(f"{server.name} is down")
        if server.name in self.broken:
            raise ValueError(f"{server.name} talks nonsense")
        return self.loads.get(server.name, Load())
