"""The guard at its connection, without a network: bytes in any pieces mean the same."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inprocess import FORM, GRANTED, granting, post

from usher.frontends.guard import FLOOD_BYTES, HEADER_BYTES, PATIENCE, GuardedProtocol
from usher.frontends.http import HttpServer, http_app


class Wire(asyncio.Transport):
    """A transport that writes into memory."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = self.ended = False

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def said_to(pieces: list[bytes]) -> tuple[bytes, bool]:
    """What the server answers to these pieces, and whether it lets nothing more come."""
    server = HttpServer(http_app(granting), "127.0.0.1", 0)
    protocol = GuardedProtocol(server.config, server.server_state, {}, patience=PATIENCE)
    wire = Wire()
    protocol.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            protocol.data_received(piece)
        await _settle(protocol)
    over = wire.closed or wire.ended
    protocol.connection_lost(None)
    return wire.written, over


async def _settle(protocol: GuardedProtocol) -> None:
    """Let every answer be written that can be."""
    for _ in range(20 * (1 + len(protocol.tasks))):
        await asyncio.sleep(0)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut here and there, and wherever the event loop would cut it."""
    size = len(data)
    marks = sorted({*range(0, size, READ_BYTES), size, *(cut % (size + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(marks)]


READ_BYTES = 256 * 1024
CHUNKED = (
    b"POST /json/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nuser=\r\n3;x=y\r\nbob\r\n0\r\nX-Trailer: z\r\n\r\n"
)
GOOD = [
    post(),
    post(b""),
    post(FORM, b"Connection: Upgrade", b"Upgrade: h2c"),
    post(FORM, b"Connection: upgrade, close", b"Upgrade: websocket"),
    post(FORM, path=b"/nowhere"),
    post(FORM, b"Connection: close"),
    post(b"user=alice&x=" + b"x" * 70_000),
    CHUNKED,
    b"\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.0\r\n\r\n",
]
BAD = [
    post(FORM, b"X: " + b"x" * (HEADER_BYTES + 1)),
    b"POST /plain/ HTTP/1.1\r\nX: " + b"x" * (2 * READ_BYTES),
    b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    b"POST /plain/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    b"POST /plain/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 2 * FLOOD_BYTES,
    b"nonsense\r\n\r\n",
]


# By number: some are too large to be shown when a test fails.
some_requests = st.lists(st.sampled_from(range(len(GOOD))), max_size=4)
some_cuts = st.lists(st.integers(0, 10**6), max_size=8)


@settings(max_examples=200, deadline=None)
@given(some_requests, some_cuts)
def test_requests_are_answered_the_same_in_whatever_pieces_they_come(
    numbers: list[int], cuts: list[int]
):
    requests = [GOOD[number] for number in numbers]
    pieces = pieces_of(b"".join(requests), cuts)
    assert asyncio.run(said_to(pieces)) == asyncio.run(said_to(requests))


@settings(max_examples=200, deadline=None)
@given(some_requests, st.sampled_from(range(len(BAD))), some_cuts)
def test_nonsense_ends_the_connection_and_costs_nobody_an_answer(
    numbers: list[int], bad: int, cuts: list[int]
):
    requests, nonsense = [GOOD[number] for number in numbers], BAD[bad]
    expected, over = asyncio.run(said_to(requests))
    pieces = pieces_of(b"".join(requests) + nonsense, cuts)
    said, really_over = asyncio.run(said_to(pieces))
    assert said.count(b" 200 OK\r\n") == expected.count(b" 200 OK\r\n")
    assert said.count(b"HTTP/1.1 ") <= expected.count(b"HTTP/1.1 ") + 1
    assert really_over


@pytest.mark.parametrize(
    "request_", [post(), CHUNKED, post(FORM, b"Connection: Upgrade", b"Upgrade: x")]
)
async def test_a_request_may_come_byte_by_byte(request_: bytes):
    said, closed = await said_to([request_[i : i + 1] for i in range(len(request_))])
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert not closed


async def test_what_follows_the_last_request_of_a_connection_is_not_read():
    said, closed = await said_to([post(FORM, b"Connection: close") + post()])
    assert said.count(GRANTED) == 1
    assert closed
