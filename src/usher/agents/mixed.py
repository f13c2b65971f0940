"""Two agents for a farm on its way from one to the other: each server is asked through its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from usher.model import Grant, Server, Session, Sight
from usher.ports import Agent, Telling

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How long nobody looks at a server whose agent does not tell of changes."""


class Mixed:
    """Each server has the agent that answers there: the preferred one, or else the other.

    preferred: the agent that is asked first
    fallback: the agent of the servers where that one does not answer
    """

    def __init__(self, *, preferred: Agent, fallback: Agent) -> None:
        self.shared_database = preferred.shared_database or fallback.shared_database
        self.suspends = preferred.suspends or fallback.suspends
        self._agents = preferred, fallback
        self._answering: dict[Server, Agent] = {}

    async def look(self, server: Server) -> Sight:
        """Ask until one answers: from then on it is the agent of this server."""
        reasons = []
        for agent in self._agents:
            try:
                sight = await agent.look(server)
            except OSError as error:
                reasons.append(str(error))
                continue
            if self._answering.get(server) is not agent:
                log.info("%s has the agent %s", server.name, sight.agent or type(agent).__name__)
                self._answering[server] = agent
            return sight
        raise ConnectionError("; ".join(reasons))

    async def news(self, server: Server) -> None:
        """Wait for news where its agent can tell, and for a while where it cannot."""
        agent = self._agent(server)
        if isinstance(agent, Telling):
            await agent.news(server)
        else:
            await asyncio.sleep(LOOK_SECONDS)

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """What the agent of this server tells."""
        return await self._agent(server).sessions(server, username)

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Have the agent of this server let the key in."""
        await self._agent(server).authorize(server, grant)

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Have the agent of this server let it in no longer."""
        await self._agent(server).withdraw(server, grant)

    async def suspend(self, server: Server, session: Session) -> None:
        """Have the agent of this server suspend the session."""
        await self._agent(server).suspend(server, session)

    def _agent(self, server: Server) -> Agent:
        return self._answering.get(server, self._agents[0])
