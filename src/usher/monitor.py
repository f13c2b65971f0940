"""Keeps the farm's picture fresh, off the request path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Protocol

from usher.farm import Farm
from usher.model import Server
from usher.ports import Agent

log = logging.getLogger(__name__)

PERIOD_SECONDS = 2.0
PATIENCE_SECONDS = 2.0
AT_ONCE = 64


class KnowsServers(Protocol):
    """Whoever can tell which servers there are to watch."""

    def known_servers(self) -> Collection[Server]:
        """Every server that any profile names."""


class Monitor:
    """Asks every known server how it is, all at once, again and again."""

    def __init__(self, agent: Agent, farm: Farm, source: KnowsServers) -> None:
        self._agent = agent
        self._farm = farm
        self._source = source

    async def run(self) -> None:
        """Look at the farm until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_SECONDS)

    async def look(self) -> None:
        """Ask every server once; one that does not answer in time counts as silent."""
        servers = list(self._source.known_servers())
        for first in range(0, len(servers), AT_ONCE):
            await asyncio.gather(*map(self._ask, servers[first : first + AT_ONCE]))
            await asyncio.sleep(0)  # clients are between one lot and the next

    async def _ask(self, server: Server) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                sight = await self._agent.look(server)
        except OSError as error:  # TimeoutError is one
            log.debug("%s does not answer: %s", server.name, error)
            self._farm.silent(server)
        except Exception:  # the other servers are still to be asked
            log.exception("%s answers what nobody can read", server.name)
            self._farm.silent(server)
        else:
            self._farm.seen(server, sight)
