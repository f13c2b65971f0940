"""Who has changed? Written down once, and read by each follower at their own pace."""

from __future__ import annotations

from collections.abc import Sequence

from usher.model import Server

REMEMBERED = 1000
"""So many changes at least are there for whoever follows."""

NEVER = -1
"""When somebody last looked who has not looked at all."""


class Changes:
    """A log of changed servers, the latest last."""

    def __init__(self) -> None:
        self._log: list[Server] = []
        self._before = 0  # so many have been forgotten

    def add(self, server: Server) -> None:
        """Something about this server is not as it was."""
        self._log.append(server)
        if len(self._log) > 2 * REMEMBERED:
            self._forget(REMEMBERED)

    def add_all(self) -> None:
        """Any server may have changed."""
        self.add(Server("", ""))
        self._forget(len(self._log))

    def since(self, mark: int) -> tuple[Sequence[Server] | None, int]:
        """Who has changed, and what to ask with next; None: anybody may have."""
        first = mark - self._before
        return (None if first < 0 else self._log[first:]), self._before + len(self._log)

    def _forget(self, count: int) -> None:
        del self._log[:count]
        self._before += count
