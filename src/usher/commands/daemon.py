"""What is asked of a running daemon, over its Unix socket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from usher.config import Config, core
from usher.plugins import build
from usher.ports import Store
from usher.ssh import ask
from usher.tables import Socket

Change = Callable[[Store], Coroutine[Any, Any, None]]

ANSWER_SECONDS = 10.0
"""An order takes a few seconds at most."""


def tell(config: Config, order: str, name: str, change: Change, later: str) -> int:
    """Give an order; without a daemon, make the change in the store."""
    try:
        return _order(config, order, name)
    except (FileNotFoundError, ConnectionRefusedError):
        asyncio.run(change(build(Store, config.table("store"))))
        print(later)
        return 0


def of_the_daemon(config: Config, order: str, body: str) -> int:
    """What only a running daemon knows."""
    try:
        return _order(config, order, body)
    except (FileNotFoundError, ConnectionRefusedError):
        print("usher: no daemon is running, and only it knows the servers", file=sys.stderr)
        return 1


def _order(config: Config, order: str, body: str) -> int:
    """What the running daemon says to an order. Raises OSError when none runs."""
    path = core(config, Socket).path
    try:
        status, _, said = ask(str(path), f"admin {order}", body.encode(), seconds=ANSWER_SECONDS)
    except (TimeoutError, BrokenPipeError) as error:
        raise OSError(f"the daemon at {path} does not answer: look at its log") from error
    print(said.decode().rstrip(), file=sys.stdout if status == 200 else sys.stderr)
    return 0 if status == 200 else 1
