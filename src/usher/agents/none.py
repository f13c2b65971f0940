"""No agent: nothing is known about any server, and every server counts as up and idle."""

from __future__ import annotations

from usher.model import Load, Server


class NoAgent:
    """No agent: every server counts as up and idle."""

    async def load(self, server: Server) -> Load:
        """Nothing is known."""
        return Load()
