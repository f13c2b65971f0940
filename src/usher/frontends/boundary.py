"""The last line of every front-end: bytes in, an answer out, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import cast

from usher.errors import BrokerError, Unavailable
from usher.model import Client, Reply, Request, Task
from usher.wire.answer import Answer, Wire

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""Longer than any plugin's own time-out, for the one that has forgotten to have one."""

_TOO_LATE = f"there is no answer after {PATIENCE_SECONDS:.0f} seconds"

Handler = Callable[[Request], Awaitable[Reply]]
"""``Broker.handle``, the only way in."""


async def answer(handle: Handler, wire: Wire, body: bytes, client: Client) -> Answer:
    """Read a form, let the broker handle it, and write what came of it. Never raises."""
    task, user = Task.LOGIN, ""
    too_late = _cancel_later()
    try:
        request = wire.read(body, client)
        task, user = request.task, request.credential.username
        return wire.write(await handle(request))
    except BrokerError as error:
        refused(user, client, error)
        return wire.refuse(task, error)
    except asyncio.CancelledError as error:
        if _clock_did_it(error):
            return wire.fail(
                task, incident(TimeoutError(_TOO_LATE), f"{user!r} at {client.address}")
            )
        log.warning("the daemon stops before %s could be answered", client.address)
        return wire.refuse(task, Unavailable())
    except Exception as error:  # noqa: BLE001 - the last line; incident() logs it in full
        return wire.fail(task, incident(error, f"{user!r} at {client.address}"))
    finally:
        too_late.cancel()


def _cancel_later() -> asyncio.TimerHandle:
    """As ``asyncio.timeout``, which would be a tenth of all that a request costs."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    return asyncio.get_running_loop().call_later(PATIENCE_SECONDS, task.cancel, _TOO_LATE)


def _clock_did_it(error: asyncio.CancelledError) -> bool:
    """Then the task goes on: nobody wants it to end."""
    task = asyncio.current_task()
    if task and _TOO_LATE in error.args:
        task.uncancel()
        return True
    return False


def refused(username: str, client: Client, error: BrokerError) -> None:
    """Log who was refused and why, in the one form that others search the log for."""
    why = error.detail or error
    log.info("refused %r at %s: %s: %s", username, client.address, error.reason, why)


def incident(error: Exception, client: object) -> str:
    """Log what is broken; return the number under which the log explains it.

    An OSError is the world's fault and says where; anything else is ours, and has its stack.
    """
    number = secrets.token_hex(4)
    if isinstance(error, OSError) and str(error):
        log.error("incident %s, asked by %s: %s", number, client, error)
    else:
        log.error("incident %s, asked by %s", number, client, exc_info=error)
    return number
