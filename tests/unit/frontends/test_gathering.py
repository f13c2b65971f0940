"""What is written together is sent together."""

from __future__ import annotations

import asyncio

from usher.frontends.gathering import Gathering


class Wire:
    """A transport that remembers what it was given, and how it ended."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def abort(self) -> None:
        self.sent.append(b"the end")


async def test_what_is_written_in_one_turn_is_sent_in_one_piece():
    wire = Wire()
    transport = Gathering(wire)
    for data in (b"keys ", b"and ", b"more"):
        transport.write(data)
    assert wire.sent == []
    await asyncio.sleep(0)
    transport.write(b"later")
    await asyncio.sleep(0)
    assert wire.sent == [b"keys and more", b"later"]


async def test_what_was_written_is_sent_before_the_end():
    wire = Wire()
    transport = Gathering(wire)
    transport.write(b"last")
    asyncio.get_running_loop().call_soon(transport.abort)
    await asyncio.sleep(0)
    assert wire.sent == [b"last", b"the end"]
