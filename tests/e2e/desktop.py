"""A desktop without a monitor: what is on its screen is read out, mouse and keyboard are moved."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import debian
from daemon import Log
from e2e.machine import Account, running

Started = AbstractContextManager[tuple[subprocess.Popen[str], Log]]

DESKTOP = ("at-spi2-core", "dbus-daemon", "python3-dbus", "xdotool", "xvfb")
"""The Debian packages that this takes."""

SCREEN_READER = Path(__file__).with_name("screen.py")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something on the screen: a label, a button, a field to type into."""

    role: str
    name: str
    focused: bool
    window: str
    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> tuple[int, int]:
        """Where to point at."""
        return self.x + self.width // 2, self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Desktop:
    """An X display with a screen reader. Only one program should run on it at a time."""

    account: Account
    environment: dict[str, str]
    question: IO[str]
    answer: IO[str]

    def look(self) -> list[Thing]:
        """All that can be seen now, windows before what is in them."""
        self.question.write("\n")
        self.question.flush()
        answer = self.answer.readline()
        assert answer, "the screen reader has ended"
        return [Thing(**thing) for thing in json.loads(answer)]

    def click(self, thing: Thing) -> None:
        """Move the mouse there and press its button; keys go to that window from now on."""
        x, y = thing.middle
        window = ["search", "--sync", "--onlyvisible", "--name", f"^{thing.window}$"]
        self._xdotool(*window, "windowfocus", "--sync", "mousemove", str(x), str(y), "click", "1")

    def type(self, text: str) -> None:
        """Type a text."""
        self._xdotool("type", "--", text)

    def press(self, key: str) -> None:
        """Press a key that has a name."""
        self._xdotool("key", key)

    def _xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self.environment, check=True, timeout=30)


@contextmanager
def desktop(account: Account) -> Iterator[Desktop]:
    """A desktop of this account, on a display of its own."""
    with ExitStack() as stack:

        def start(started: Started) -> tuple[subprocess.Popen[str], str]:
            process, log = stack.enter_context(started)
            return process, _first_line(process, log)

        # As root: what an earlier display has left behind belongs to accounts that are gone.
        screen = ("-screen", "0", "1280x1024x24")
        _, display = start(running("Xvfb", "-displayfd", "1", *screen, "-noreset", "-ac"))
        environment = {"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "DISPLAY": f":{display}"}
        session = ("dbus-daemon", "--session", "--nofork", "--print-address=1")
        _, bus = start(account.running(*session, **environment))
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus
        script = SCREEN_READER.read_text()
        reader, _ = start(account.running(debian.PYTHON, "-c", script, **environment))
        assert reader.stdin and reader.stdout
        yield Desktop(account, environment, reader.stdin, reader.stdout)


def _first_line(process: subprocess.Popen[str], log: Log) -> str:
    """What it says when it is ready."""
    assert process.stdout
    line = process.stdout.readline().strip()
    assert line, f"{process.args!r} has ended: {log.text()}"
    return line
