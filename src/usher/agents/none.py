"""No agent: nothing is known about any server, and every server counts as up and idle."""

from __future__ import annotations

from collections.abc import Sequence

from usher.errors import Unavailable
from usher.model import Grant, Server, Session, Sight

NOBODY = "There is no agent on this server."


class NoAgent:
    """No agent: every server counts as up and idle."""

    shared_database = False
    suspends = False

    async def look(self, server: Server) -> Sight:
        """Nothing is known."""
        return Sight(sessions=())

    async def sessions(self, server: Server, username: str) -> Sequence[Session]:
        """Nothing is known."""
        return ()

    async def authorize(self, server: Server, grant: Grant) -> None:
        """Nobody can do that."""
        raise Unavailable(NOBODY)

    async def withdraw(self, server: Server, grant: Grant) -> None:
        """Nothing was authorised."""

    async def suspend(self, server: Server, session: Session) -> None:
        """Nobody can do that."""
        raise Unavailable(NOBODY)
