"""One dialogue with usher-agent: it tells unasked, and answers what it is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

import asyncssh
import msgspec

from usher.agents import words
from usher.agents.words import Answer, Hello, Listed, Told
from usher.model import Session, Sight

log = logging.getLogger(__name__)

LINE_BYTES = 16 * 1024 * 1024
NOISE_BYTES = 500


class Dialogue(asyncssh.SSHClientSession[bytes]):
    """With the agent of the server called ``name``, until the connection ends.

    A line that cannot be read ends it: whoever wrote that is not our agent.
    """

    def __init__(self, name: str) -> None:
        self.heard_at = time.monotonic()
        self.ended = False
        self.hello: Hello | None = None
        self._name = name
        self._told: Told | None = None
        self._sessions: tuple[Session, ...] | None = None
        self._sight = Sight()
        self._rest = bytearray()
        self._noise = b""
        self._number = 0
        self._news = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begun(self) -> None:
        """Wait until it has said all that it says of itself. Raises ConnectionError."""
        await asyncio.shield(self._begun)

    async def news(self) -> None:
        """Wait until something is told that ``look`` has not seen, or nothing will be any more."""
        await self._news.wait()

    def look(self) -> Sight:
        """The server as it was told last. There is no news from then on."""
        self._news.clear()
        return self._sight

    def sight(self) -> Sight:
        """The server as it was told last: the same object while nothing is told."""
        return self._sight

    async def ask(self, verb: str, fields: Mapping[str, object]) -> Answer:
        """Ask, and wait for the answer. Raises ConnectionError when the dialogue ends before."""
        if self.ended:
            raise ConnectionError(f"the agent on {self._name} has gone")
        self._number += 1
        number = self._number
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._channel.write(msgspec.json.encode({"id": number, "verb": verb, **fields}) + b"\n")
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def end(self, reason: str = "it is not listened to any more") -> None:
        """Speak no more, whether the other side hears of it or not."""
        self._is_over(reason)
        self._channel.abort()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The agent is there."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take what comes, and hear every whole line of it."""
        if datatype is not None:
            self._noise = (self._noise + data)[-NOISE_BYTES:]
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = bytearray(rest)
        try:
            if len(rest) > LINE_BYTES:
                raise ValueError("a line without an end")
            for line in lines:
                self._hear(words.read(bytes(line)))
        except ValueError as error:
            log.warning("what the agent on %s says cannot be read: %s", self._name, error)
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The agent has gone, and may have said why."""
        noise = self._noise.decode(errors="replace").strip()
        self._is_over(str(exc or noise or "it has ended"))

    def _is_over(self, reason: str) -> None:
        """Whoever still waits for something hears that it will not come."""
        self.ended = True
        self._news.set()
        lost = ConnectionError(f"the agent on {self._name}: {reason}")
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(lost)
        if not self._begun.done():
            self._begun.set_exception(lost)
        self._begun.exception()  # nobody may be waiting for it: then that is no trouble

    def _hear(self, said: words.Event | Answer) -> None:
        self.heard_at = time.monotonic()
        match said:
            case Answer(id=number) if number in self._waiting:
                if not self._waiting[number].done():
                    self._waiting[number].set_result(said)
            case Hello():
                self.hello = said
                if not said.privileged:
                    log.warning("the agent on %s tells its load only: %s", self._name, said.why)
            case Told():
                self._told = said
            case Listed():
                self._sessions = words.sessions_of(said, self._name)
        if not isinstance(said, Answer):
            self._look()

    def _look(self) -> None:
        """Put together what was told, once all of it was."""
        if self.hello is None or self._told is None:
            return
        if self._sessions is None and self.hello.privileged:
            return
        sessions = self._sessions or ()
        agent = f"usher-agent {self.hello.version}"
        self._news.set()
        self._sight = Sight(words.load_of(self._told, len(sessions)), sessions, agent)
        if not self._begun.done():
            self._begun.set_result(None)
