"""The administrator's Python file: loaded once, and asked so that it can do no worse than fail."""

from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

from usher import places
from usher.errors import BrokerError

PATIENCE_SECONDS = 10.0
"""So long a function may take, and no client waits longer for it."""

AT_ONCE = 32
"""So many plain functions run at the same time; those that hang are among them."""


class Program:
    """A Python file with functions of these names, and the parameters that each must take.

    ``optional`` are those that may be missing. Raises ValueError, with the line, when the file
    cannot be used, and OSError when it cannot be read.
    """

    def __init__(
        self, path: Path, required: Mapping[str, str], optional: Mapping[str, str]
    ) -> None:
        self._path = path
        self._module = self._load()
        self._free = asyncio.Semaphore(AT_ONCE)
        there = {name: taken for name, taken in optional.items() if name in self}
        for name, taken in {**required, **there}.items():
            self._fits(name, taken)

    def __contains__(self, name: str) -> bool:
        return hasattr(self._module, name)

    async def ask(self, name: str, *arguments: str) -> Any:
        """What the function answers: in a thread, or on the event loop when it is ``async``.

        A BrokerError of it is a no, as everywhere. What else it has come to, an OSError says in a
        line, with the place in the file; a TimeoutError that it hangs.
        """
        function = getattr(self._module, name)
        call = self._here if inspect.iscoroutinefunction(function) else self._aside
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await call(name, partial(function, *arguments))
        except TimeoutError:
            words = f"no answer within {PATIENCE_SECONDS:g} seconds"
            raise TimeoutError(self.fault(name, words)) from None

    def fault(self, name: str, words: str) -> str:
        """The words, after the place where the function stands."""
        code = getattr(inspect.unwrap(getattr(self._module, name)), "__code__", None)
        return f"{self._path}:{code.co_firstlineno if code else 1}: {name}: {words}"

    async def _here(self, name: str, function: Callable[[], Any]) -> Any:
        with self._told(name):
            return await function()

    async def _aside(self, name: str, function: Callable[[], Any]) -> Any:
        """In a thread of its own, for which neither others nor the end of the process wait."""
        await self._free.acquire()
        loop, answer = asyncio.get_running_loop(), Future[Any]()
        answer.set_running_or_notify_cancel()

        def run() -> None:
            try:
                with self._told(name):
                    answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                answer.set_exception(error)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._free.release)

        Thread(target=run, name=f"usher-{self._path.stem}", daemon=True).start()
        return await asyncio.wrap_future(answer)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What goes wrong within is told by its place in the file."""
        try:
            yield
        except BrokerError:
            raise
        except (Exception, SystemExit) as error:
            raise OSError(f"{self._place(error)}: {name}: {_words(error)}") from error

    def _load(self) -> ModuleType:
        places.readable(self._path)
        module = ModuleType(f"usher_backend_{self._path.stem}")
        module.__file__ = str(self._path)
        sys.modules[module.__name__] = module  # dataclasses look for their own module there
        try:
            code = compile(self._path.read_bytes(), self._path, "exec")
            exec(code, vars(module))  # noqa: S102 - the administrator's own
        except (Exception, SystemExit) as error:
            raise ValueError(f"{self._place(error)}: {_words(error)}") from error
        return module

    def _fits(self, name: str, taken: str) -> None:
        function = getattr(self._module, name, None)
        if not callable(function):
            raise ValueError(f"{self._path}:1: has no function {name}({taken})")
        try:
            signature = inspect.signature(function)
        except ValueError:  # what is not written in Python need not say what it takes
            return
        try:
            signature.bind(*taken.split(", "))
        except TypeError as error:
            raise ValueError(self.fault(name, f"must take ({taken})")) from error

    def _place(self, error: BaseException) -> str:
        """The last line of the file that had a part in the error."""
        if isinstance(error, SyntaxError) and error.filename == str(self._path):
            return f"{self._path}:{error.lineno or 1}"
        frames = reversed(traceback.extract_tb(error.__traceback__))
        line = next((f.lineno for f in frames if f.filename == str(self._path)), None)
        return f"{self._path}:{line or 1}"


def _words(error: BaseException) -> str:
    """Its kind, and what it says."""
    said = error.msg if isinstance(error, SyntaxError) else error
    return f"{type(error).__name__}: {said}".rstrip(": ")
