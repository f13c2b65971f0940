"""Our own agent: JSON lines over one SSH connection; it tells load and sessions unasked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from usher.agents.connections import Connections
from usher.agents.dialogue import Dialogue
from usher.errors import Unavailable
from usher.model import Grant, Server, Session, Sight

log = logging.getLogger(__name__)

ANSWER_SECONDS = 0.9
"""It answers in milliseconds, or not at all: less than what the broker waits for one server."""

TOOL_SECONDS = 31.0
"""It gives a tool of x2goserver's thirty, and answers when that has ended."""

SILENT_SECONDS = 10.0
"""It tells its load every five seconds: who has been silent for twice as long is down."""

CLOCK_SECONDS = 0.01
"""More than the event loop's clock may be fast: whoever looks too early waits twice as long."""

FIRST_WORDS_SECONDS = 8.0


@dataclass(slots=True)
class _Line:
    """The dialogue with the agent of one server, and the lock of whoever opens it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    dialogue: Dialogue | None = None


class Usher:
    """Speaks with usher-agent on the servers: all sessions, load, one-time keys, suspend.

    username: the account that the broker logs in to on every server
    key: the private key to log in with
    known_hosts: the host keys of the servers, by their names, as OpenSSH writes them
    """

    shared_database = False
    suspends = True

    def __init__(
        self,
        *,
        username: str = "usher-agent",
        key: Path = Path("/etc/usher/id_ed25519"),
        known_hosts: Path = Path("/etc/usher/known_hosts"),
    ) -> None:
        self._connections = Connections(username, key, known_hosts, SILENT_SECONDS)
        self._lines: defaultdict[Server, _Line] = defaultdict(_Line)

    async def run(self) -> None:
        """Nothing to do; at the end, close the connections."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._connections.close()

    async def look(self, server: Server) -> Sight:
        """What the agent has told last, of this server whatever it calls itself."""
        dialogue = await self._dialogue(server)
        if time.monotonic() - dialogue.heard_at > SILENT_SECONDS:
            dialogue.end()
            raise TimeoutError(f"{server.name} has been silent for {SILENT_SECONDS:.0f} seconds")
        return dialogue.look()

    async def news(self, server: Server) -> None:
        """Wait until the agent tells something, has gone, or has been silent for too long."""
        dialogue = self._lines[server].dialogue
        if dialogue and not dialogue.ended:
            patience = dialogue.heard_at + SILENT_SECONDS - time.monotonic() + CLOCK_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(max(patience, CLOCK_SECONDS)):
                    await dialogue.news()

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """Those of the user among what it has told."""
        sight = (await self._dialogue(server)).sight()
        return [session for session in sight.sessions or () if session.user == username]

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Let a key in, for as long as the agent's own clock says."""
        client = str(grant.client) if grant.client else None
        await self._ask(
            server,
            "authorize",
            ANSWER_SECONDS,
            **{"from": client, "permitopen": grant.permit_open, "pty": grant.pty},
            user=grant.username,
            key=grant.key,
            seconds=grant.seconds,
        )

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Take a key away."""
        await self._ask(server, "withdraw", ANSWER_SECONDS, user=grant.username, key=grant.key)

    async def suspend(self, server: Server, session: Session) -> None:
        """Suspend a session with x2goserver's own command; that takes a second, or several."""
        await self._ask(server, "suspend", TOOL_SECONDS, session=session.id)

    async def _ask(self, server: Server, verb: str, patience: float, **fields: object) -> None:
        """Raises Unavailable when the agent refuses, and OSError when it does not answer.

        That ends the dialogue: whoever else waits for an answer need not wait as long.
        """
        dialogue = await self._dialogue(server)
        try:
            async with asyncio.timeout(patience):
                answer = await dialogue.ask(verb, fields)
        except TimeoutError:
            dialogue.end("it has left a request without an answer")
            raise TimeoutError(f"the agent on {server.name} does not answer") from None
        if not answer.ok:
            raise Unavailable(detail=f"{verb} on {server.name}: {answer.error}")

    async def _dialogue(self, server: Server) -> Dialogue:
        """The dialogue with the agent of this server, which has told load and sessions by now."""
        line = self._lines[server]
        async with line.lock:
            if line.dialogue is None or line.dialogue.ended:
                line.dialogue = await self._open(server)
            return line.dialogue

    async def _open(self, server: Server) -> Dialogue:
        connection = await self._connections.to(server)
        try:
            async with asyncio.timeout(FIRST_WORDS_SECONDS):
                # The key is bound to the agent: what is asked for here is what people see in logs.
                dialogue = Dialogue(server.name)
                await connection.create_session(lambda: dialogue, "usher-agent", encoding=None)
                await dialogue.begun()
        except (asyncssh.Error, OSError) as error:  # TimeoutError is one
            connection.abort()
            reason = str(error) or "it says nothing"
            raise ConnectionError(f"the agent on {server.name} does not begin: {reason}") from error
        return dialogue
