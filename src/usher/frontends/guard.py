"""HTTP connections that cannot be held open for nothing: what uvicorn leaves to others.

A request's header must be complete within HEADER_SECONDS and HEADER_BYTES, its body within
BODY_SECONDS. A request that arrives in one piece, as nearly all do, costs no timer.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0
LINGER_SECONDS = 2.0
HEADER_BYTES = 16 * 1024


class _Phase(Enum):
    """What the client is at, and how many seconds it has for the rest of it."""

    HEAD = HEADER_SECONDS
    BODY = BODY_SECONDS
    REFUSED = LINGER_SECONDS
    COMPLETE = None


class _HeadTooLarge(Exception):
    """Ends the parsing of a header that goes on and on."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on how long and how large the reading of a request may be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = _Phase.HEAD
        self._head_bytes = 0  # that the parser has read of this header
        self._raw_bytes = 0  # that came for it, read or not
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited: _Phase = _Phase.COMPLETE
        self._last_request = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A header has to come."""
        super().connection_made(transport)
        self._await(_Phase.HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._await(_Phase.COMPLETE)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. What has begun has to go on in time; blank lines between requests as well."""
        if self._phase is _Phase.REFUSED:
            return
        if self._phase is not _Phase.BODY:
            self._raw_bytes += len(data)
        super().data_received(data)
        if self.parser is None or self.transport.is_closing():
            return
        if self._phase is _Phase.HEAD and self._raw_bytes > HEADER_BYTES:
            self._refuse(431)
        idle = self._phase is _Phase.COMPLETE and (not self.cycle or self.cycle.response_complete)
        self._await(_Phase.HEAD if idle else self._phase)

    def on_message_begin(self) -> None:
        """A header begins."""
        self._phase = _Phase.HEAD
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count it, and let uvicorn have it."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it, and let uvicorn have it."""
        self._head_bytes += len(name) + len(value) + len(b": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body begins, if the header was of a bearable size."""
        if self._head_bytes > HEADER_BYTES:
            raise _HeadTooLarge
        self._phase = _Phase.BODY
        self._raw_bytes = 0
        super().on_headers_complete()
        if self._last_request:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        self._phase = _Phase.COMPLETE
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser has given up; say 431 where that was our doing."""
        self._refuse(431 if self._head_bytes > HEADER_BYTES else 400)

    def shutdown(self) -> None:
        """The daemon stops: a request that has begun to arrive is still answered."""
        if self._phase is _Phase.HEAD and self._raw_bytes:
            self._last_request = True
        else:
            super().shutdown()

    def _refuse(self, status: int) -> None:
        """Answer, and read no more; close when the client had time to see the answer."""
        headers = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + headers)
        self._phase = _Phase.REFUSED
        self._await(_Phase.REFUSED)

    def _await(self, phase: _Phase) -> None:
        """Set the clock for a phase, unless it runs for this phase already."""
        if phase is self._awaited:
            return
        self._awaited = phase
        if self._deadline:
            self._deadline.cancel()
        seconds = phase.value
        self._deadline = self.loop.call_later(seconds, self._too_late) if seconds else None

    def _too_late(self) -> None:
        if self._phase is _Phase.HEAD and self.cycle and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # the request before this one is still being answered
        else:
            self.transport.close()
