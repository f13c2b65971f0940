"""The real x2goclient, driven as a person drives it: looked at, clicked, typed into."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from daemon import Log
from e2e.desktop import DESKTOP, Desktop, Thing
from e2e.machine import Account, until

T = TypeVar("T")

X2GOCLIENT = (*DESKTOP, "x2goclient")
"""The Debian packages that this takes."""

OPTIONS = ("--debug", "--no-menu", "--add-to-known-hosts", "--bypass-cleanup-helper")


@dataclass(frozen=True, slots=True)
class X2goClient:
    """A running x2goclient. Whatever it does not show in time fails with its log."""

    desktop: Desktop
    process: subprocess.Popen[str]
    log: Log

    def login(self, password: str) -> None:
        """Type the broker's password for the user whom the URL names."""
        self.see("Authentication")
        self.fill("Password:", password)
        self.desktop.press("Return")

    def names(self) -> set[str]:
        """The names on all session profiles, once they are listed."""
        self.see("Session:")
        labels = {thing.name for thing in self.desktop.look() if thing.role == "label"}
        return labels - {"Session:", ""}

    def text(self) -> str:
        """All that can be read now."""
        return "\n".join(thing.name for thing in self.desktop.look())

    def choose(self, name: str) -> None:
        """Search for a session profile and take it."""
        self.fill("Session:", name)
        self.desktop.press("Return")

    def start(self, profile: str, account: Account) -> None:
        """Take a session profile, log in to its server, and begin a session there."""
        before = account.commands().count("x2gostartagent")
        self.choose(profile)
        self.fill("Login:", account.name)
        self.fill("Password:", account.password)
        self.desktop.press("Return")
        self.until("a command", lambda: account.commands().count("x2gostartagent") > before)

    def see(self, text: str) -> Thing:
        """The thing on the screen that bears this text, and only this; waits for it."""
        return self.until(repr(text), lambda: self._find(text))

    def push(self, name: str) -> None:
        """Click at a button until it has gone; one that has only just come may still move."""
        self.see(name)
        self.until(f"that {name!r} goes", lambda: self._has_pushed(name))

    def fill(self, label: str, text: str) -> None:
        """Type into the field beside this label."""
        self.desktop.click(self.until(f"a field at {label}", lambda: self._field(label)))
        self.until(f"the cursor at {label}", lambda: self._field(label, focused=True))
        self.desktop.press("ctrl+a")
        self.desktop.type(text)

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """What the look finds; it is repeated until it finds something."""
        found = until(self.process, look)
        if not found:
            raise AssertionError(self._sorry(what))
        return found

    def _find(self, text: str) -> Thing | None:
        return next((thing for thing in self.desktop.look() if thing.name == text), None)

    def _has_pushed(self, name: str) -> bool:
        button = self._find(name)
        if button:
            self.desktop.click(button)
        return not button

    def _field(self, label: str, *, focused: bool = False) -> Thing | None:
        _, y = self.see(label).middle
        fields = (thing for thing in self.desktop.look() if thing.role == "text")
        beside = (field for field in fields if field.y < y < field.y + field.height)
        return next((field for field in beside if field.focused or not focused), None)

    def _sorry(self, what: str) -> str:
        status = self.process.poll()
        state = "does not show" if status is None else f"ended with status {status} before showing"
        tail = "".join(self.log.text().splitlines(keepends=True)[-30:])
        return f"x2goclient {state} {what} but:\n{self.text()}\nIts log ends:\n{tail}"


@contextmanager
def x2goclient(desktop: Desktop, url: str, *options: str) -> Iterator[X2goClient]:
    """x2goclient with this broker, and options of its own."""
    # python-x2go leaves settings there that hide the window as soon as a session runs.
    (desktop.account.home / ".x2goclient" / "settings").unlink(missing_ok=True)
    command = ("x2goclient", *OPTIONS, f"--broker-url={url}", *options)
    with desktop.account.running(*command, **desktop.environment) as (process, log):
        yield X2goClient(desktop, process, log)
