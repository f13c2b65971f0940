"""Much work that is done piece by piece, so that clients are answered meanwhile."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_T = TypeVar("_T")

Steps = Generator[None, None, _T]
"""Work that stops after every few microseconds, and returns its result."""

TURN_SECONDS = 0.0005
REST_SECONDS = 0.002


def at_once(steps: Steps[_T]) -> _T:
    """Work until it is done; in a thread, with rests, for there is an event loop beside it."""
    alone = threading.current_thread() is threading.main_thread()
    result: list[_T] = []
    for _ in _turns(steps, result):
        if not alone:
            time.sleep(REST_SECONDS)  # noqa: TID251 - never in the event loop's thread
    return result[0]


async def in_turns(steps: Steps[_T]) -> _T:
    """Work a little in each turn of the event loop.

    A thread would be no help: it would take the interpreter away between any two events.
    """
    result: list[_T] = []
    for _ in _turns(steps, result):
        await asyncio.sleep(0)
    return result[0]


def _turns(steps: Steps[_T], result: list[_T]) -> Iterator[None]:
    """Do the work, stop whenever others should have their turn, and put its result there."""
    until = time.perf_counter() + TURN_SECONDS
    for _ in _with_result(steps, result):
        if time.perf_counter() > until:
            yield
            until = time.perf_counter() + TURN_SECONDS


def _with_result(steps: Steps[_T], result: list[_T]) -> Iterator[None]:
    result.append((yield from steps))


def gathered(items: Iterable[_T]) -> Steps[list[_T]]:
    """A list of the items, one a step."""
    found = []
    for item in items:
        found.append(item)
        yield
    return found


def dropped(items: list[_T]) -> Steps[None]:
    """Let go of the items, one a step: to free ten thousand at once takes its time."""
    while items:
        items.pop()
        yield


@contextmanager
def nothing_collected() -> Iterator[None]:
    """What is made here lives on, and refers to itself nowhere.

    The collector would stop everybody to look at it, again and again.
    """
    gc.collect(1)  # what is garbage now must not live on with it
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
