"""Every shape a request may come in, and what is answered to those that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from inprocess import FORM, GRANTED, Served, granting, post, serving

from usher.model import Reply, Request, User

CLOSE = b"Connection: close"
SPLITS = (None, 20, 60, -1)


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


def pieces(request: bytes, split: int | None) -> tuple[bytes, ...]:
    """The request as a whole, or in two writes."""
    return (request[:split], request[split:]) if split else (request,)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "request_",
    [
        post(FORM, CLOSE),
        post(FORM, CLOSE, path=b"http://broker.example.org:8080/plain/"),
        post(FORM, CLOSE, path=b"/plain/inifile/any/thing/"),
        post(FORM, CLOSE, path=b"/plain"),
        post(FORM, CLOSE, path=b"/pl%61in/?task=listsessions"),
        post(FORM, CLOSE, b"Content-Type: text/plain"),
        post(FORM, CLOSE, b"Content-Type: application/octet-stream"),
        post(FORM, b"Connection: Upgrade, close", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        post(FORM, b"Connection: Upgrade, close", b"Upgrade: websocket"),
        post(FORM, b"connection: close, UPGRADE", b"upgrade: TLS/1.0"),
        b"POST /plain/ HTTP/1.0\r\nContent-Length: 26\r\n\r\n" + FORM,
        b"POST /plain/ HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nuser=\r\n15;ext=1\r\nalice&password=wonder\r\n0\r\n\r\n",
    ],
)
async def test_a_form_is_read_however_it_is_sent(
    served: Served, request_: bytes, split: int | None
):
    said = await served.exchange(*pieces(request_, split))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(GRANTED)
    assert b"\r\ndate: " in said


async def test_a_request_behind_an_offer_to_upgrade_is_answered_as_well(served: Served):
    offer = post(FORM, b"Connection: Upgrade", b"Upgrade: h2c")
    said = await served.exchange(offer * 3 + post(b"user=", CLOSE))
    assert said.count(GRANTED) == 3
    assert said.endswith(b"Login failed.\n")


async def test_pipelined_requests_are_answered_in_their_order():
    async def slow_at_first(request: Request) -> Reply:
        if request.profile_id == "p0":
            await asyncio.sleep(0)
        return Reply(request.task, User("alice"), profile_id=request.profile_id)

    ids = [f"p{number}" for number in range(50)]
    forms = [b"user=alice&task=selectsession&sid=" + name.encode() for name in ids]
    sent = b"".join(post(form, path=b"/json/") for form in forms)
    async with serving(slow_at_first) as served, served.client(sent) as client:
        answers = [json.loads((await client.answer())[1]) for _ in ids]
    assert [answer["profile_id"] for answer in answers] == ids


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(served: Served):
    request = post(FORM, b"Expect: 100-continue")
    async with served.client(request[: -len(FORM)]) as client:
        assert await client.answer() == (100, b"")
        client.send(FORM)
        assert await client.answer() == (200, GRANTED)


async def test_a_client_that_asks_before_it_sends_too_much_is_told_not_to(served: Served):
    header = post(b"", b"Expect: 100-continue", path=b"/nowhere")
    async with served.client(header.replace(b"Length: 0", b"Length: 99999999")) as client:
        assert (await client.answer())[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/plain/", 405),
        ("HEAD", "/plain/", 405),
        ("PUT", "/json/", 405),
        ("DELETE", "/json/x", 405),
        ("OPTIONS", "/plain", 405),
        ("PROPFIND", "/plain/", 405),
        ("POST", "/health", 405),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("POST", "/", 404),
        ("GET", "/", 404),
        ("GET", "/health/", 404),
        ("POST", "/Plain/", 404),
        ("POST", "/plainer/", 404),
        ("POST", "//plain/", 404),
        ("POST", "/../plain/", 404),
        ("OPTIONS", "*", 404),
    ],
)
async def test_what_is_not_there_is_said_and_nobody_is_sent_elsewhere(
    served: Served, method: str, path: str, status: int
):
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    said = await served.exchange(request.encode())
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert b"location:" not in said.lower()


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT other.example.org:443 HTTP/1.1\r\nHost: other.example.org\r\n\r\n",
        b"GET http://other.example.org HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET no-slash HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /plain/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /plain/ HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /plain/ HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /plain/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /plain/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"POST /plain/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /plain/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"POST /plain/ HTTP/1.1\r\nX : y\r\n\r\n",
        b"POST /plain/ HTTP/1.1\r\nX: a\0b\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_with_400_at_once(served: Served, sent: bytes):
    assert (await served.exchange(sent)).startswith(b"HTTP/1.1 400 ")


async def test_nonsense_behind_a_request_does_not_cost_its_answer():
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Reply:
        asked.set()
        await go.wait()
        return await granting(request)

    async with serving(slow) as served, served.client(post() + b"\x16\x03\x01") as client:
        await asked.wait()
        client.send(b"more of it")
        go.set()
        said = await client.ending
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.endswith(GRANTED)


@pytest.mark.parametrize("kind", [b"multipart/form-data", b"Multipart/Form-Data"])
async def test_a_multipart_form_is_refused_in_words_that_keep_the_window_open(
    served: Served, kind: bytes
):
    multipart = (b"Content-Type: " + kind + b"; boundary=x", CLOSE)
    plain = await served.exchange(post(b"--x", *multipart))
    assert plain.startswith(b"HTTP/1.1 200 ")
    assert GRANTED not in plain
    assert (await served.exchange(post(b"--x", *multipart, path=b"/json/"))).startswith(
        b"HTTP/1.1 400 "
    )


@pytest.mark.parametrize("sent", [b"POST /pl", post()[:-3], post(), post() * 3])
async def test_a_client_that_leaves_early_is_no_news(caplog: pytest.LogCaptureFixture, sent: bytes):
    async with serving() as served:
        async with served.client(sent):
            pass
        async with served.client(post(FORM, CLOSE)) as witness:
            assert (await witness.ending).endswith(GRANTED)
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


async def test_both_wires_answer_on_one_connection(served: Served):
    async with served.client(post() + post(FORM, path=b"/json/")) as client:
        assert await client.answer() == (200, GRANTED)
        status, body = await client.answer()
        assert (status, json.loads(body)["auth-status"]) == (200, "OK")
