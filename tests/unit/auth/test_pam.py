"""The broker's end of the PAM helper's socket, with a helper that says what it is told to."""

from __future__ import annotations

import asyncio
import struct

import pytest

from usher.auth.pam import Pam
from usher.errors import AuthFailed
from usher.model import Credential, client_at

HERE = client_at("192.0.2.1")


@pytest.fixture
async def helper(tmp_path):
    """Answers every question with ``helper.answer``, and keeps what was asked."""

    class Helper:
        answer = b""
        asked = ""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        Helper.asked = (await reader.readexactly(length)).decode()
        writer.write(Helper.answer)
        writer.close()

    async with await asyncio.start_unix_server(reply, tmp_path / "pam.sock"):
        yield Helper


@pytest.fixture
def login(tmp_path):
    pam = Pam(socket=tmp_path / "pam.sock")
    return pam.authenticate(Credential("MAJA", "sesam öffne dich"), HERE)


def framed(*texts: str) -> bytes:
    body = "\0".join(texts).encode()
    return struct.pack(">I", len(body)) + body


async def test_what_pam_made_of_the_name_is_what_was_proved(helper, login):
    helper.answer = framed("granted", "0", "maja")
    assert await login == "maja"
    assert helper.asked.split("\0") == ["MAJA", "sesam öffne dich", "192.0.2.1"]


async def test_a_refusal_keeps_its_reason_for_the_log(helper, login):
    helper.answer = framed("denied", "0", "account expired")
    with pytest.raises(AuthFailed) as refusal:
        await login
    assert refusal.value.detail == "account expired"


@pytest.mark.parametrize(
    "answer",
    [
        framed("unknown", "0", "no server"),
        framed("maybe", "0", "maja"),
        framed("granted"),
        framed("granted", "soon", "maja"),
        framed("granted", "0", "maja")[:-1],
        b"",
    ],
)
async def test_any_other_answer_says_neither_yes_nor_no(helper, login, answer):
    helper.answer = answer
    with pytest.raises((OSError, ValueError)):
        await login


@pytest.mark.parametrize(
    ("socket", "why"), [("pam.sock", "No such file or directory"), ("x" * 120, "path too long")]
)
async def test_a_helper_that_cannot_be_reached_is_named_with_what_to_do(tmp_path, socket, why):
    pam = Pam(socket=tmp_path / socket)
    with pytest.raises(OSError) as error:
        await pam.authenticate(Credential("maja", "x"), HERE)
    told = str(error.value)
    assert str(tmp_path / socket) in told and why in told and "systemctl status" in told


async def test_a_helper_that_hangs_is_named(tmp_path):
    left = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_unix_server(hang, tmp_path / "pam.sock"):
        pam = Pam(socket=tmp_path / "pam.sock", timeout=0.05)
        with pytest.raises(TimeoutError, match=r"pam\.sock in 0.05 seconds"):
            await pam.authenticate(Credential("maja", "x"), HERE)
        await left.wait()


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all_is_no_timeout(timeout):
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        Pam(timeout=timeout)
