"""One command over SSH, and what is written to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncssh

from usher import ssh

_NO_SHELL: Final = b"This is a session broker: it answers X2Go clients, and has no shell.\r\n"
_NO_TERMINAL: Final = b"The commands of X2Go clients are answered without a terminal.\r\n"


@dataclass(frozen=True, slots=True)
class Output:
    """What goes to standard output, or else to standard error."""

    answer: bytes = b""
    complaint: bytes = b""


class Channel(asyncssh.SSHServerSession[bytes]):
    """One command, and ``over`` is called when all is said.

    A terminal is taken, as x2goclient wants it; it gets the answer to the probe only.
    """

    def __init__(
        self, answer: Callable[[str], Awaitable[Output]], over: Callable[[], None]
    ) -> None:
        self._answer = answer
        self._over = over
        self._line = ""
        self._terminal = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """It is open."""
        self._channel = chan

    def connection_lost(self, exc: Exception | None) -> None:
        """All is said, or nobody listens any more."""
        self._over()

    def pty_requested(self, *_: object) -> bool:
        """Taken, and none is made."""
        self._terminal = True
        return True

    def shell_requested(self) -> bool:
        """Answered with a sentence."""
        return True

    def exec_requested(self, command: str) -> bool:
        """Answered if it is a command of an X2Go client."""
        self._line = command.strip()
        return True

    def eof_received(self) -> bool:
        """Who has no more to say still wants an answer."""
        return True

    def session_started(self) -> None:
        """Others are served meanwhile."""
        self._channel.get_connection().create_task(self._run())

    async def _run(self) -> None:
        if not self._line:
            output = Output(complaint=_NO_SHELL)
        elif self._terminal and self._line != ssh.PROBE:
            output = Output(complaint=_NO_TERMINAL)
        else:
            output = await self._answer(self._line)
        with suppress(OSError):  # they may have gone meanwhile
            self._channel.write(output.answer)
            self._channel.write_stderr(output.complaint)
            self._channel.exit(1 if output.complaint else 0)
