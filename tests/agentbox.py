"""The agent for X2Go Servers as its own processes, with a sandbox for everything it touches."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

# The oldest Python it is for is 3.6: AGENT_PYTHON=python3.6 pytest tests/agent
PYTHON = os.environ.get("AGENT_PYTHON", sys.executable)
SOURCE = Path(__file__).parents[1] / "packaging" / "agent" / "usher-agent"

HOST = os.uname().nodename
SQLITE = (
    f"402|alice-50-1795414336_stRxterm_dp24|50|{HOST}|R|2026-11-23T06:12:16"
    "|a801225b037d5981104c25ae6193fb0d|10.91.0.3|56110|56111|2026-11-23T06:12:18|alice|3|56112|-1|-1"
)
# PostgreSQL has 33 characters for the 32 of a cookie.
POSTGRESQL = "|".join(SQLITE.replace("alice", "bob").replace("193fb0d", "193fb0d ").split("|")[:14])
ALICE: dict[str, Any] = {
    "agent_pid": 402,
    "id": "alice-50-1795414336_stRxterm_dp24",
    "display": 50,
    "server": HOST,
    "state": "R",
    "started": "2026-11-23T06:12:16",
    "cookie": "a801225b037d5981104c25ae6193fb0d",
    "client": "10.91.0.3",
    "graphics_port": 56110,
    "sound_port": 56111,
    "last": "2026-11-23T06:12:18",
    "user": "alice",
    "age": 3,
    "fs_port": 56112,
}

# The agent takes nothing from its environment or arguments, so a test changes its constants.
DRIVER = """\
import sys, types
agent = types.ModuleType("agent")
exec(compile(open({source!r}).read(), {source!r}, "exec"), vars(agent))
vars(agent).update({settings!r})
agent.syslog.syslog = lambda message: open({log!r}, "a").write(message + "\\n")
now = agent.time.time
agent.time.time = lambda: now() + {later!r}
agent.{end}().run()
"""


def loaded() -> ModuleType:
    """The agent as a module, for what needs no process."""
    module = ModuleType("usher_agent")
    exec(compile(SOURCE.read_text(), str(SOURCE), "exec"), vars(module))
    return module


class Dialogue:
    """One running agent: what it says, and a way to ask it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._number = 0
        self.heard: list[dict[str, Any]] = []

    def _listen(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self._said.put(json.loads(line))
        self._said.put(None)

    def listen(self) -> None:
        """From now on read what the agent says."""
        if not self._listener.ident:
            self._listener.start()

    def hear(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message of that kind; the others are passed over."""
        self.listen()
        deadline = time.monotonic() + 20
        while True:
            message = self._said.get(timeout=max(deadline - time.monotonic(), 0))
            assert message is not None, "the agent has ended"
            self.heard.append(message)
            if wanted(message):
                return message

    def event(self, name: str) -> dict[str, Any]:
        return self.hear(lambda message: message.get("event") == name)

    def write(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, **request: object) -> dict[str, Any]:
        """The answer to a request, which gets the next id."""
        self._number += 1
        self.write(json.dumps({"id": self._number, **request}).encode())
        return self.hear(lambda message: message.get("id") == self._number)

    def said_without_id(self) -> dict[str, Any]:
        return self.hear(lambda message: "id" in message and message["id"] is None)

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def close(self) -> str:
        """Hang up; the agent ends by itself, and in order. What it wrote to standard error."""
        self.hang_up()
        self.listen()
        self._listener.join(timeout=20)
        assert self.process.stderr
        with self.process.stderr as errors:
            said = errors.read().decode()
        assert self.process.wait(timeout=20) == 0, said
        return said


class Sandbox:
    """A folder that stands for the X2Go Server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.keys = folder / "usher" / "keys"
        self.listing = folder / "listing"
        self.database = folder / "database"
        self.temporary = folder / "tmp"
        self.calls = folder / "calls"
        for made in (self.database, self.temporary):
            made.mkdir()
        self.log.touch()
        self.listing.touch()
        (folder / "login.defs").write_text("UID_MIN 1\n")
        (folder / "sql").write_text("# who knows\nbackend=sqlite\n")
        self.lister = self._script("lister", f'echo >> "{folder}/lists"; cat "{self.listing}"')
        self.tool = self._script("tool", f'echo "$(id -u) $HOME $@" >> "{self.calls}"')
        self.calls.touch()
        self.calls.chmod(0o666)
        self.later = 0.0
        self.settings = {
            "CONFIG": str(folder / "agent.conf"),
            "KEYS": str(self.keys),
            "LOCK": str(folder / "usher" / "lock"),
            "LOGIN_DEFS": str(folder / "login.defs"),
            "BACKEND": str(folder / "sql"),
            "DATABASE": str(self.database),
            "TEMPORARY": (str(self.temporary),),
            "LISTERS": [str(self.lister)],
            "TOOLS": {"suspend": str(self.tool), "terminate": str(self.tool)},
        }

    def _script(self, name: str, body: str) -> Path:
        script = self.folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        return script

    def rules(self, text: str) -> None:
        (self.folder / "agent.conf").write_text(text)

    def session(self, line: str, state: str = "") -> None:
        """Put a session into the database, and the word of its process into its state file."""
        self.replace_list(self.listing.read_text() + line + "\n")
        if state:
            self.state(line, state)
        self.changed()

    def replace_list(self, text: str) -> None:
        """At one stroke: nobody who lists comes upon half of it."""
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.listing)

    def state(self, line: str, state: str) -> None:
        fields = line.split("|")
        folder = self.temporary / f".x2go-{fields[11]}" / f"C-{fields[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").write_text(state)

    def lists(self) -> int:
        """How often the sessions have been listed."""
        return len((self.folder / "lists").read_text().splitlines())

    def changed(self) -> None:
        """Touch the database, as every change of it does."""
        (self.database / "x2go_sessions").write_text(self.listing.read_text())

    def command(self, end: str) -> list[str]:
        """The command that runs one end of the agent in here."""
        script = self.folder / f"{end}.py"
        settings = dict(self.settings)
        if end == "Front":
            settings.setdefault("SUDO", self.command("Root"))
        text = DRIVER.format(
            source=str(SOURCE), settings=settings, log=str(self.log), later=self.later, end=end
        )
        script.write_text(text)
        return [PYTHON, "-I", str(script)]


USER = "daemon"
"""A system account that every machine has: whose keys the tests write."""


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def wish(key: str, **other: object) -> dict[str, Any]:
    return {
        "verb": "authorize",
        "user": USER,
        "key": key,
        "seconds": 60,
        "from": "127.0.0.1",
        "permitopen": "localhost:*",
        "pty": False,
    } | other


def lines(sandbox: Sandbox) -> list[str]:
    return (sandbox.keys / USER).read_text().splitlines()
