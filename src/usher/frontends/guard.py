"""HTTP connections that cannot be held open for nothing: what uvicorn leaves to others.

A request that arrives in one piece, as nearly all do, costs no timer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEADER_BYTES = 16 * 1024
FLOOD_BYTES = 1024 * 1024
"""More than this after a header is no body that anybody still reads and forgets politely."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a client has for what.

    header: to send a header, from its first byte; at first, from the connection
    body: to send the body
    answer: to be answered; how long that takes is not the client's fault
    refusal: to see that it was refused
    reading: to read something of an answer that waits for it
    idle: to send another request
    stop: to get its answer when the daemon stops
    """

    header: float = 10.0
    body: float = 30.0
    answer: float | None = None
    refusal: float = 2.0
    reading: float = 30.0
    idle: int = 75
    stop: int = 10


PATIENCE = Patience()


class _Phase(Enum):
    """What a connection is waiting for: the field of Patience that says how long."""

    HEADER = "header"
    BODY = "body"
    ANSWER = "answer"
    REFUSAL = "refusal"


_MOST = {_Phase.HEADER: (HEADER_BYTES, 431), _Phase.BODY: (FLOOD_BYTES, 413)}
"""How many bytes may come in a phase, and the status for whoever sends more."""


class _Unbearable(Exception):
    """Ends the parsing of a header that is too large, or asks for a tunnel."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with limits on how long and how large the reading of a request may be."""

    def __init__(self, *args: Any, patience: Patience, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience = patience
        self._phase = _Phase.HEADER
        self._head_bytes = 0  # that the parser has read of this header
        self._raw_bytes = 0  # that came in this phase, read or not
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited = _Phase.ANSWER
        self._last_request = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A header has to come."""
        super().connection_made(transport)
        self._await(_Phase.HEADER)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._await(_Phase.ANSWER)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. What has begun has to go on in time; blank lines between requests as well."""
        if self._phase is _Phase.REFUSAL:
            return
        self._unset_keepalive_if_required()
        self._raw_bytes += len(data)
        self._parse(data)
        most, status = _MOST.get(self._phase, (self._raw_bytes, 0))
        if self._raw_bytes > most:
            self._refuse(status)
        idle = self._phase is _Phase.ANSWER and not self._answering
        self._await(_Phase.HEADER if idle else self._phase)

    def on_message_begin(self) -> None:
        """A header begins."""
        self._phase = _Phase.HEADER
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count it, and let uvicorn have it."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count it, and let uvicorn have it. What comes after the body is no header."""
        if self._phase is _Phase.HEADER:
            self._head_bytes += len(name) + len(value) + len(b": \r\n")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body begins, if the header can be borne."""
        tunnel = self.parser.get_method() == b"CONNECT"
        if tunnel or self._head_bytes > HEADER_BYTES:
            raise _Unbearable
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._raw_bytes = 0
        if self._last_request:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is here as a whole."""
        if self._phase is _Phase.BODY:
            self._phase = _Phase.ANSWER
            self._raw_bytes = 0
            super().on_message_complete()

    def shutdown(self) -> None:
        """The daemon stops: a request that has begun to arrive is still answered."""
        if self._phase is _Phase.HEADER and self._raw_bytes:
            self._last_request = True
        else:
            super().shutdown()

    @property
    def _answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                try:
                    self.parser.feed_data(rest)
                    return
                except HttpParserUpgrade as offer:
                    rest, head = rest[offer.args[0] :], self._head_without_offer()
                    self.parser = HttpRequestParser(self)  # the old one may think it is done
                    self.parser.feed_data(head)
        except HttpParserError:
            self._refuse(431 if self._head_bytes > HEADER_BYTES else 400)

    def _head_without_offer(self) -> bytes:
        """The header again: the parser takes no body where it reads an offer to upgrade."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    def _refuse(self, status: int) -> None:
        """Answer in its turn, and read no more; close when the client had time to see it."""
        in_body = self._phase is _Phase.BODY
        if in_body and self.pipeline:
            refusal: Any = Response(status_code=status)  # an application by itself
            self.pipeline[0] = self.cycle, refusal
        elif in_body is self._answering:  # by the request itself, and by no earlier one
            self._answer_at_once(status)
        if self._answering:
            self.cycle.keep_alive = False
        elif self.transport.can_write_eof():
            self.transport.write_eof()
        self._phase = _Phase.REFUSAL
        self._await(_Phase.REFUSAL)

    def _answer_at_once(self, status: int) -> None:
        """Whoever was to answer learns that the client is gone."""
        headers = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + headers)
        if self._answering:
            self.cycle.disconnected = self.cycle.response_complete = True
            self.cycle.message_event.set()

    def _await(self, phase: _Phase) -> None:
        """Set the clock for a phase, unless it runs for this phase already."""
        if phase is self._awaited:
            return
        self._awaited = phase
        if self._deadline:
            self._deadline.cancel()
        seconds = getattr(self._patience, phase.value)
        self._deadline = self.loop.call_later(seconds, self._too_late) if seconds else None

    def _too_late(self) -> None:
        if self._phase is _Phase.BODY and not self.transport.is_closing():
            self._refuse(408)
        elif self._answering:
            self.cycle.keep_alive = False  # an earlier request; its answer is the last one
        else:
            self.transport.close()
