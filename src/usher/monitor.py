"""Keeps the farm's picture fresh, off the request path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from random import Random
from typing import Protocol

from usher.errors import Unavailable
from usher.farm import Farm, Impossible
from usher.model import Server
from usher.ports import Agent, Telling

log = logging.getLogger(__name__)

PERIOD_SECONDS = 2.0
LEAST_SECONDS = 0.05
"""Between two looks, whatever news there is."""

SPREAD = 0.75, 1.25
"""Of the period."""

PATIENCE_SECONDS = 10.0
"""Longer than an agent's own, for one that has to connect first."""


class KnowsServers(Protocol):
    """Whoever can tell which servers there are to watch."""

    def known_servers(self) -> Collection[Server]:
        """Every server that any profile names."""


class Monitor:
    """Looks at every known server again and again; none of them holds up another."""

    def __init__(self, agent: Agent, farm: Farm, source: KnowsServers) -> None:
        self._agent = agent
        self._farm = farm
        self._source = source
        self._telling = agent if isinstance(agent, Telling) else None
        self._random = Random()  # noqa: S311 - spreads looks, guards nothing

    async def run(self) -> None:
        """Look at the farm until cancelled. Whom no profile names any more is forgotten."""
        watched: dict[Server, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                known = set(self._source.known_servers())
                for server in known - watched.keys():
                    self._farm.meet(server)
                    watched[server] = tasks.create_task(self._watch(server))
                for server in watched.keys() - known:
                    watched.pop(server).cancel()
                    self._farm.forget(server)
                await asyncio.sleep(PERIOD_SECONDS)

    async def look(self, server: Server) -> None:
        """Look once; a server that does not answer in time counts as silent."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                sight = await self._agent.look(server)
            self._farm.seen(server, sight)
        except OSError as error:  # TimeoutError is one
            log.debug("%s does not answer: %s", server.name, error)
            self._farm.silent(server, str(error))
        except Unavailable as error:
            log.debug("%s does not tell how it is: %s", server.name, error.detail)
            self._farm.silent(server, error.detail)
        except Impossible as error:
            if self._farm.is_up(server):
                log.warning("%s counts as down: %s", server.name, error)
            self._farm.silent(server, str(error))
        except Exception:
            log.exception("%s answers what nobody can read", server.name)
            self._farm.silent(server, "it answers what nobody can read")

    async def _watch(self, server: Server) -> None:
        while True:
            await self.look(server)
            await self._pause(server)

    async def _pause(self, server: Server) -> None:
        """Until there is news, where an agent can tell; else for a while.

        Not for as long as all the others: five hundred looks at once would hold up the clients.
        """
        if self._telling and self._farm.is_up(server):
            await asyncio.sleep(LEAST_SECONDS)
            await self._telling.news(server)
        else:
            await asyncio.sleep(PERIOD_SECONDS * self._random.uniform(*SPREAD))
