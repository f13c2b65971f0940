"""Writes what belongs together in one piece."""

from __future__ import annotations

import asyncio
from typing import Any


class Gathering:
    """A transport that sends all that is written in one turn of the event loop at once.

    libssh does not wait for what a server says after its keys: that RSA keys sign with SHA-2 here.
    When that came a moment later, it would not use an RSA key at all.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send it when this turn is over."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._send)
        self._written.append(data)

    def _send(self) -> None:
        self._transport.write(b"".join(self._written))
        self._written.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
