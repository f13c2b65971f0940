"""The addresses of host names in client lists, asked for ahead of any request."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection, Mapping
from ipaddress import ip_address

from usher.model import Address

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Look-ups at the same time: each of them keeps a thread waiting."""


async def resolve(
    names: Collection[str], before: Mapping[str, Collection[Address]]
) -> Mapping[str, Collection[Address]]:
    """The addresses of each name; those of ``before`` for one that cannot be resolved now."""
    places = asyncio.Semaphore(AT_ONCE)

    async def ask(name: str) -> None:
        async with places:
            try:
                found[name] = await asyncio.to_thread(_addresses, name)
            except (OSError, UnicodeError) as error:
                log.warning("the client list entry %s cannot be resolved: %s", name, error)

    found = {name: before[name] for name in names if name in before}
    await asyncio.gather(*map(ask, names))
    return found


def _addresses(name: str) -> frozenset[Address]:
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return frozenset(ip_address(str(place[0]).partition("%")[0]) for *_, place in answers)
