"""The servers under test, each a process of its own, pinned to one core; the load has the other."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, LOAD_CORE = {0}, {max(os.sched_getaffinity(0))}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Running:
    """A server that accepts connections."""

    url: str
    process: subprocess.Popen[str]

    def cpu_seconds(self) -> float:
        """What it has used so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024


@contextmanager
def started(*command: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a server that says ``ready on URL`` on standard error; stop it at the end."""
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(env or {})},
        preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORE),
    )
    try:
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"ready on (\S+)", line):
                break
            print(line, end="", file=sys.stderr)
        else:
            raise SystemExit(f"{command[0]} did not start")
        yield Running(found[1].rstrip("/"), process)
    finally:
        process.terminate()
        process.communicate()


def free_port() -> int:
    """A port of loopback that nobody listens on, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


STATE = """
[store]
path = "store"
[socket]
path = "usher.sock"
relays = ["root"]
"""


@contextmanager
def usher(folder: Path, config: str) -> Iterator[Running]:
    """A broker with this configuration, its state in ``folder``."""
    file = folder / "usher.toml"
    file.write_text(
        f'[store]\npath = "store"\n[socket]\npath = "usher.sock"\nrelays = ["root"]\n{config}'
    )
    with started(sys.executable, "-m", "usher.cli", "serve", "-c", str(file)) as running:
        yield running


@contextmanager
def constant(size: int, certificate: Path | None = None) -> Iterator[Running]:
    """The same HTTP stack with an answer that never changes."""
    words = [str(size), *([str(certificate)] if certificate else [])]
    with started(sys.executable, "-m", "bench.constant", *words) as running:
        yield running
