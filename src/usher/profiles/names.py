"""The addresses of host names in client lists, asked for ahead of any request."""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from threading import Thread

from usher.model import Address

log = logging.getLogger(__name__)

_GONE = (socket.EAI_NONAME, socket.EAI_NODATA)

AT_ONCE = 4
"""So many look-ups run at the same time."""

_THEN = "nobody sees a profile that denies it, and nobody is let in by it"


def resolve(
    names: Collection[str], before: Mapping[str, Collection[Address]], seconds: float
) -> Mapping[str, Collection[Address]]:
    """The addresses of the names; those of ``before`` for whom nobody tells in so many seconds.

    A name that is known to have no address any more has none.
    """
    waiting, found = deque(names), {name: before[name] for name in names if name in before}

    def ask() -> None:
        while waiting:
            try:
                name = waiting.popleft()
                found[name] = _addresses(name)
            except IndexError:
                return
            except (OSError, UnicodeError) as error:
                if getattr(error, "errno", None) in _GONE:
                    found.pop(name, None)
                log.warning(
                    "the client list entry %s cannot be resolved (%s): %s", name, error, _THEN
                )

    # Threads that nobody has to wait for: a look-up cannot be broken off.
    threads = [Thread(target=ask, daemon=True) for _ in range(min(AT_ONCE, len(names)))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    waiting.clear()
    return dict(found)


def _addresses(name: str) -> frozenset[Address]:
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return frozenset(ip_address(str(place[0]).partition("%")[0]) for *_, place in answers)
