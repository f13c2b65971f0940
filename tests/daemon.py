"""A real broker for the tests: a process and a folder of its own, on free ports of loopback."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

DEADLINE_SECONDS = 15.0

TABLES: Mapping[str, Mapping[str, Any]] = {
    "http": {"port": 0},
    "authenticator": {"type": "static", "users": {"alice": "wonder", "bob": "builder"}},
    "directory": {"type": "flat", "groups": {"staff": ["alice"]}},
    "profiles": {"type": "inifile", "path": "profiles.conf"},
    "store": {"type": "sqlite", "path": "state"},
    "socket": {"path": "usher.sock", "relays": []},
}

PROFILES = """\
[desktop]
name = Desktop
host = ts1.example.org
command = XFCE

[staff-only]
name = Staff
host = ts2.example.org
acl-groups-allow = staff
"""


class Log:
    """What a process writes to standard error, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: Any) -> None:
        with suppress(ValueError):  # closed in the middle, by whoever has started the process
            for line in stream:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def text(self) -> str:
        """All of it, so far."""
        with self._news:
            return "".join(self._lines)

    def wait_for(self, pattern: str, *, seconds: float = DEADLINE_SECONDS) -> re.Match[str]:
        """The first match in the log; waits for it, and fails with the log when it never comes."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._find(pattern), seconds)
            found = self._find(pattern)
        assert found, f"{pattern!r} is not in the log"
        return found

    def whole(self) -> str:
        """All of it, once the process has closed it."""
        self._reader.join(DEADLINE_SECONDS)
        return self.text()

    def _find(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, "".join(self._lines), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def authid(self) -> str:
        """The AUTHID of a plain answer; empty without one."""
        found = re.match(r"AUTHID:(\S+)\n", self.text)
        return found[1] if found else ""

    @property
    def granted(self) -> bool:
        """Whether a plain answer lets the client in."""
        return "Access granted" in self.text


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running broker. ``tls`` is what its clients need when it speaks TLS."""

    url: str
    folder: Path
    process: subprocess.Popen[str]
    log: Log
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The address it listens on."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 0

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "usher.toml"

    @property
    def socket_path(self) -> Path:
        """Its Unix socket."""
        return self.folder / "usher.sock"

    def connect(self, source: str = "") -> socket.socket:
        """A raw connection to the HTTP port, from a source address of your choice."""
        where = (self.host, self.port)
        raw = socket.create_connection(where, DEADLINE_SECONDS, (source, 0) if source else None)
        return self.tls.wrap_socket(raw, server_hostname=self.host) if self.tls else raw

    def post(self, path: str = "/plain/", *, source: str = "", **form: str) -> Answer:
        """Post a form, as clients do."""
        return self.request("POST", path, urlencode(form, quote_via=quote).encode(), source=source)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        source: str = "",
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = self.connect(source)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def usher(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``usher COMMAND -c FILE ARGUMENTS…`` beside the daemon."""
        return usher(command, "-c", str(self.config), *arguments)

    def hang_up(self) -> None:
        """Send SIGHUP: the configuration is to be read again."""
        self.process.send_signal(signal.SIGHUP)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.terminate()


def usher(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``usher ARGUMENTS…`` to its end, in that folder."""
    command = [sys.executable, "-m", "usher.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False, cwd=folder
    )


def write_config(
    folder: Path, *, profiles: str | Mapping[str, Any] = PROFILES, **tables: Any
) -> Path:
    """Write ``usher.toml`` and ``profiles.conf``, made of TABLES and what is given.

    A table with a ``type`` replaces ours, one without is merged into it, None leaves it out.
    ``profiles`` may be the text of ``profiles.conf`` as well.
    """
    if isinstance(profiles, str):
        (folder / "profiles.conf").write_text(profiles, encoding="utf-8")
        profiles = {}
    chosen = {**TABLES, "profiles": profiles, **tables}
    for name, table in chosen.items():
        if table is not None and "type" not in table:
            chosen[name] = {**TABLES.get(name, {}), **table}
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
        for name, table in chosen.items()
        if table is not None
    )
    path = folder / "usher.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = (f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return "{ " + ", ".join(inner) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


@contextmanager
def running(
    folder: Path,
    *,
    profiles: str | Mapping[str, Any] = PROFILES,
    tls: ssl.SSLContext | None = None,
    incidents: bool = False,
    place: Sequence[str] = (),
    **tables: Any,
) -> Iterator[Daemon]:
    """A broker that accepts connections; stopped at the end, when its exit status must be 0.

    ``place``: the beginning of a command that is to run in another place, as nsenter does.
    ``incidents``: whether things may break on its side. Without, a traceback fails the test.
    """
    config = write_config(folder, profiles=profiles, **tables)
    command = [*place, sys.executable, "-W", "error", "-m", "usher.cli", "serve", "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        log = Log(process)
        try:
            url = log.wait_for(r"^usher: ready on (\S+)")[1]
            yield Daemon(url, folder, process, log, tls)
            process.terminate()
            status = process.wait(DEADLINE_SECONDS)
        finally:
            process.kill()
            print(log.whole())  # pytest shows it when the test fails
    assert status == 0, f"the daemon ended with status {status}"
    assert incidents or "Traceback" not in log.text(), "something broke in the daemon"
