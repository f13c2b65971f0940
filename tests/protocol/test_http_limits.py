"""Nobody holds a connection for nothing, and nobody sends more than is bearable."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from inprocess import DEADLINE_SECONDS, FORM, GRANTED, Client, granting, post, serving

from usher.frontends.guard import FLOOD_BYTES, HEADER_BYTES, PATIENCE
from usher.frontends.http import BODY_BYTES
from usher.model import Reply, Request

SHORT = 0.1
HEAD = b"POST /plain/ HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(autouse=True)
def nobody_has_to_read_about_it(caplog: pytest.LogCaptureFixture):
    """What strangers send is no news for an administrator."""
    with caplog.at_level("INFO"):
        yield
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []


async def drip(client: Client, byte: bytes) -> bytes:
    """Send a byte again and again until the server has had enough; return what it said."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                return await asyncio.wait_for(asyncio.shield(client.ending), SHORT / 4)
            except TimeoutError:
                client.send(byte)


@pytest.mark.parametrize(
    ("sent", "byte"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"POST ", b"x"),
        (HEAD, b"x"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"GET /nowhere HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", b"x"),
    ],
)
async def test_a_request_that_comes_in_drips_is_cut_off(sent: bytes, byte: bytes):
    impatient = replace(PATIENCE, header=SHORT, body=SHORT)
    async with serving(patience=impatient) as served, served.client(sent) as client:
        assert GRANTED not in await drip(client, byte)


async def test_drips_between_requests_are_cut_off():
    impatient = replace(PATIENCE, header=SHORT)
    async with serving(patience=impatient) as served, served.client(post()) as client:
        assert await client.answer() == (200, GRANTED)
        assert await drip(client, b"\r\n") == b""


async def test_a_connection_kept_alive_is_closed_when_nothing_more_comes():
    async with serving(patience=replace(PATIENCE, idle=SHORT)) as served:
        assert (await served.exchange(post())).endswith(GRANTED)


async def test_the_time_for_a_header_begins_anew_with_every_request():
    impatient = replace(PATIENCE, header=SHORT)
    async with serving(patience=impatient) as served, served.client() as client:
        for _ in range(4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), SHORT / 2)
            client.send(post())
            assert await client.answer() == (200, GRANTED)


async def test_an_answer_may_take_its_time_and_half_a_request_behind_it_does_not_spoil_it():
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Reply:
        asked.set()
        await go.wait()
        return await granting(request)

    impatient, sent = replace(PATIENCE, header=SHORT), post() + b"POST /pl"
    async with serving(slow, patience=impatient) as served, served.client(sent) as client:
        await asked.wait()
        ended, _ = await asyncio.wait([client.ending], timeout=3 * SHORT)
        assert not ended
        go.set()
        assert (await client.ending).endswith(GRANTED)


def _header_of(size: int) -> bytes:
    """A header with so many bytes between its first and its last line."""
    fixed = post()[: -len(FORM)]
    return fixed[:-2] + b"X: " + b"x" * (size - len(fixed) - len(b"X: \r\n")) + b"\r\n\r\n"


@pytest.mark.parametrize(
    "header",
    [
        _header_of(HEADER_BYTES + 100),
        _header_of(200_000),
        HEAD + b"X: y\r\n" * 4000 + b"\r\n",
        HEAD + b"X: y\r\n" * 100_000,
        b"POST /plain/" + b"x" * HEADER_BYTES + b" HTTP/1.1\r\n\r\n",
        b"POST /plain/" + b"x" * 1_000_000,
        b"X" * 300_000,
        HEAD + b"X: " + b"x" * 1_000_000,
    ],
)
async def test_a_header_above_the_limit_is_answered_with_431(header: bytes):
    async with serving() as served:
        said = await served.exchange(header + FORM)
    assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")[: 1 + header.startswith(b"XX")])


async def test_a_header_just_below_the_limit_is_read():
    async with serving() as served, served.client(_header_of(HEADER_BYTES - 100) + FORM) as client:
        assert await client.answer() == (200, GRANTED)


def _chunked(body: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("made", [post, _chunked])
async def test_a_body_of_the_largest_size_is_read(made: Callable[[bytes], bytes]):
    async with serving() as served, served.client(made(b"x" * BODY_BYTES)) as client:
        assert (await client.answer())[0] == 200


@pytest.mark.parametrize("made", [post, _chunked])
@pytest.mark.parametrize("size", [BODY_BYTES + 1, FLOOD_BYTES - 1000])
async def test_a_body_above_the_limit_is_answered_with_413_even_if_it_is_written_first(
    made: Callable[[bytes], bytes], size: int
):
    async with serving() as served, served.client(made(b"x" * size), post()) as client:
        assert (await client.answer())[0] == 413
        assert await client.answer() == (200, GRANTED)


@pytest.mark.parametrize("expecting", [b"", b"Expect: 100-continue\r\n"])
async def test_a_body_that_is_only_said_to_be_too_large_is_refused_before_it_comes(
    expecting: bytes,
):
    head = HEAD + expecting + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1)
    async with serving() as served, served.client(head) as client:
        assert (await client.answer())[0] == 413


@pytest.mark.parametrize(
    "flood",
    [
        post(b"x" * 3 * FLOOD_BYTES),
        _chunked(b"x" * 3 * FLOOD_BYTES),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * FLOOD_BYTES,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * 3 * FLOOD_BYTES,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"y" * 3 * FLOOD_BYTES,
    ],
)
async def test_a_flood_is_answered_once_and_ended(flood: bytes):
    async with serving() as served:
        said = await served.exchange(flood)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "sent", [HEAD + b"X: " + b"x" * HEADER_BYTES, b"\x16\x03\x01\x02\x00nonsense"]
)
async def test_who_goes_on_sending_after_a_refusal_is_cut_off(sent: bytes):
    impatient = replace(PATIENCE, refusal=SHORT)
    async with serving(patience=impatient) as served, served.client(sent) as client:
        assert (await client.ending).startswith(b"HTTP/1.1 4")
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    client.send(b"x" * 1000)
                    await client.writer.drain()
                    await asyncio.sleep(0)


async def test_who_never_reads_the_answers_is_cut_off():
    async with serving(patience=replace(PATIENCE, reading=1.0)) as served:
        with socket.create_connection((served.host, served.port)) as deaf:
            deaf.setblocking(False)
            hungry = post(b"task=testcon") * 100
            async with asyncio.timeout(DEADLINE_SECONDS):
                with pytest.raises(OSError, match="timed out|reset|Broken pipe"):
                    while True:
                        await asyncio.get_running_loop().sock_sendall(deaf, hungry)
