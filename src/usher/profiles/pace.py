"""Much work in a thread, while the main thread answers clients and wants the interpreter too."""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

WORK_SECONDS = 0.001
REST_SECONDS = 0.0005
RESTS = 12
"""At most, for each piece of work: what is read is live some day, however much there is to do."""

_T = TypeVar("_T")


class Breath:
    """Works for a while, then lets the main thread have the interpreter for as long as it is busy.

    The main thread needs none: what it works on before it serves, nobody waits for.
    """

    def __init__(self) -> None:
        main = threading.main_thread()
        alone = threading.current_thread() is main
        self._used = time.pthread_getcpuclockid(main.ident or 0)
        self._until = math.inf if alone else time.perf_counter() + WORK_SECONDS

    def __call__(self) -> None:
        """Take a breath if it is time."""
        if time.perf_counter() < self._until:
            return
        for _ in range(RESTS):
            before = time.clock_gettime(self._used)
            time.sleep(REST_SECONDS)  # noqa: TID251 - in a thread of its own
            if time.clock_gettime(self._used) - before < REST_SECONDS / 2:
                break
        self._until = time.perf_counter() + WORK_SECONDS


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


def paced(items: Iterable[_T], breathe: Callable[[], None]) -> Iterator[_T]:
    """The items, with a breath before each."""
    for item in items:
        breathe()
        yield item
