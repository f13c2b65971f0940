"""What administrators may ask of a running daemon: text in, text out."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass

from usher.errors import BadRequest
from usher.farm import Farm, State
from usher.placing import Placer
from usher.ports import Directory, ProfileSource, Store

DRAINED = "drained"
"""The kind of what is kept in the store about servers that take no new sessions."""

Order = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders. ``parts`` tells the parts as the configuration has them now."""

    store: Store
    farm: Farm
    revoked: MutableMapping[str, float]
    parts: Callable[[], tuple[Placer, Directory, ProfileSource]]

    def table(self) -> dict[str, Order]:
        """The orders by their names on the socket."""
        return {
            "revoke": self.revoke,
            "hosts": self.hosts,
            "drain": self.drain,
            "undrain": self.undrain,
            "place": self.place,
        }

    async def refresh(self) -> None:
        """Several daemons may share a store: what one was told holds for all."""
        self.revoked.update(await self.store.revocations())
        self.farm.drain(await self.store.kept(DRAINED))

    async def revoke(self, username: str) -> str:
        """End all of a user's logins."""
        now = time.time()
        await self.store.revoke(username, now)
        self.revoked[username] = now
        return f"{username} has to log in again.\n"

    async def hosts(self, _: str) -> str:
        """All that is known of every server."""
        states = sorted(self.farm.states(), key=lambda state: state.server.name)
        if not states:
            return "No profile names a server.\n"
        return "".join(f"{line}\n" for line in _columns([_HEADS, *map(_row, states)]))

    async def drain(self, name: str) -> str:
        """From now on the server takes no new sessions; those that are there go on."""
        known = sorted({state.server.name for state in self.farm.states()})
        if name not in known:
            there = ", ".join(known) or "none"
            raise BadRequest(f"No profile names {name}: there are {there}.")
        await self.store.keep(DRAINED, name, "")
        await self.refresh()
        return f"{name} takes no new sessions.\n"

    async def undrain(self, name: str) -> str:
        """The server takes new sessions again."""
        if name not in await self.store.kept(DRAINED):
            raise BadRequest(f"{name} is not drained.")
        await self.store.drop(DRAINED, name)
        await self.refresh()
        return f"{name} takes new sessions.\n"

    async def place(self, wish: str) -> str:
        """What speaks for and against each server, for ``USER NUL PROFILE``."""
        username, _, name = wish.partition("\0")
        placer, directory, source = self.parts()
        user = await directory.user(username)
        catalogue = await source.profiles(user)
        profile = next((p for p in catalogue.profiles if name in (p.id, p.section)), None)
        if profile is None:
            raise BadRequest(f"There is no profile {name!r} for {username}.")
        servers = await source.servers(profile, user)
        return "".join([f"{line}\n" async for line in placer.explain(profile, servers, user)])


_HEADS = ("server", "state", "since", "agent", "heard", "sessions", "promised", "load", "memory")


def _row(state: State) -> tuple[str, ...]:
    load, drained = state.sight.load, ["drained"] * state.drained
    told = drained or ["up"] if state.up else [*drained, f"down: {state.why}"]
    known = (str(load.sessions), f"{load.per_core:.2f}", f"{load.free_memory:.0%} free")
    sessions, per_core, memory = known if state.heard < math.inf else ("-", "-", "-")
    return (
        state.server.name,
        ", ".join(told),
        _span(state.since),
        state.sight.agent or "-",
        _span(state.heard),
        sessions,
        str(state.promised),
        per_core,
        memory,
    )


def _span(seconds: float) -> str:
    """A duration for people."""
    if seconds == math.inf:
        return "never"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows as lines, every column as wide as its widest cell."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
