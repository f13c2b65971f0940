"""The Unix socket in the test's own event loop, with little patience."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from inprocess import DEADLINE_SECONDS, FORM, granting

from usher.frontends.boundary import Handler
from usher.frontends.socket import PATIENCE_SECONDS, UnixSocket
from usher.model import Reply, Request

CGI = b"cgi plain 127.0.0.1 %d\n%b" % (len(FORM), FORM)
BIG = "x" * 10_000_000


@dataclass
class Listening:
    """A socket that accepts connections."""

    path: Path
    stop: asyncio.Event
    running: asyncio.Task[None]

    async def say(self, message: bytes) -> bytes:
        """Send this, and wait for the end of the answer."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(message)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    folder: Path, handle: Handler = granting, patience: float = PATIENCE_SECONDS
) -> AsyncIterator[Listening]:
    async def big(argument: str) -> str:
        return BIG

    async def broken(argument: str) -> str:
        raise TimeoutError("the disk does not answer")

    unix = UnixSocket(
        handle,
        path=folder / "s",
        relays=[getpass.getuser()],
        admins=[],
        orders={"big": big, "broken": broken},
        patience=patience,
    )
    await unix.listen()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(unix.run_until(stop))
        try:
            yield Listening(folder / "s", stop, running)
        finally:
            stop.set()


async def test_who_says_nothing_or_half_of_it_is_sent_away(tmp_path: Path):
    async with listening(tmp_path, patience=0.1) as socket:
        for message in (b"", b"cgi", CGI[:-1]):
            assert (await socket.say(message)).startswith(b"400 ")


async def test_an_answer_of_any_size_is_given_to_who_takes_it(tmp_path: Path):
    async with listening(tmp_path) as socket:
        assert (await socket.say(b"admin big 0\n")).endswith(BIG.encode())


async def test_who_does_not_take_the_answer_is_given_up(tmp_path: Path):
    async with listening(tmp_path, patience=0.1) as socket:
        reader, writer = await asyncio.open_unix_connection(socket.path)
        writer.write(b"admin big 0\n")
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await reader.readexactly(4) == b"200 "
            socket.stop.set()
            await socket.running
            assert len(await reader.read()) < len(BIG)
        writer.close()


async def test_an_order_that_breaks_is_an_incident(tmp_path: Path, caplog):
    async with listening(tmp_path) as socket:
        said = await socket.say(b"admin broken 0\n")
    assert said.startswith(b"500 ")
    assert "the disk does not answer" in caplog.text
    assert b"disk" not in said


async def test_a_conversation_that_has_begun_is_finished(tmp_path: Path):
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Reply:
        asked.set()
        await go.wait()
        return await granting(request)

    async with listening(tmp_path, slow) as socket, asyncio.TaskGroup() as tasks:
        said = tasks.create_task(socket.say(CGI))
        await asked.wait()
        socket.stop.set()
        while socket.path.exists():
            await asyncio.sleep(0)
        assert not socket.running.done()
        go.set()
        assert (await said).endswith(b"Access granted\n")
