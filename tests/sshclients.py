"""Clients of the built-in SSH server: OpenSSH's own, and one that does what the test says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import asyncssh
from daemon import DEADLINE_SECONDS, Daemon, running

UUID = "1206defd-23b9-4df5-aba6-bc06653718b9"
PROBE = 'echo "LOGIN OK"'
OPTIONS = (
    "StrictHostKeyChecking=no UserKnownHostsFile=/dev/null LogLevel=ERROR "
    "NumberOfPasswordPrompts=1 IdentityAgent=none"
)
LIST = "/usr/bin/x2gobroker --task listsessions"


def wrapped(command: str, mark: str = UUID) -> str:
    """As x2goclient 4.1.2.2 wraps what it wants to run, byte for byte."""
    return (
        f'bash -l -c \'echo "X2GODATABEGIN:{mark}"; '
        'export PATH="/usr/local/bin:/usr/bin:/bin";export TERM="dumb"; '
        f'{command}; echo "X2GODATAEND:{mark}";\''
    )


def unwrapped(output: str, mark: str = UUID) -> str:
    """What x2goclient reads of an output."""
    _, begin, rest = output.partition(f"X2GODATABEGIN:{mark}\n")
    answer, end, _ = rest.partition(f"X2GODATAEND:{mark}\n")
    assert begin and end, output
    return answer


_hosts = count(1)


def somewhere() -> str:
    """An address where nobody has failed to log in yet."""
    high, low = divmod(next(_hosts), 250)
    return f"127.1.{high}.{low + 1}"


@dataclass(frozen=True, slots=True)
class Door:
    """A running broker with an SSH server. Every client is at an address of its own."""

    daemon: Daemon
    port: int

    @asynccontextmanager
    async def login(
        self, username: str = "alice", password: str | None = "wonder", **options: Any
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection that is logged in. Raises what asyncssh raises."""
        options = {"client_keys": None, "agent_path": None, "preferred_auth": "password"} | options
        async with asyncssh.connect(
            "127.0.0.1",
            self.port,
            config=None,
            known_hosts=None,
            local_addr=(somewhere(), 0),
            username=username,
            password=password,
            **options,
        ) as connection:
            yield connection

    def ssh(
        self,
        *words: str,
        user: str = "alice",
        answers: str = "wonder",
        code: str = "",
        options: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """OpenSSH's client, which asks nobody but us; ``code``: what to say to other questions."""
        folder = self.daemon.folder
        given = f"{options} {OPTIONS} BindAddress={somewhere()}"
        chosen = [word for option in given.split() for word in ("-o", option)]
        askpass = folder / "askpass"
        said = f"case \"$1\" in *assword:*) echo '{answers}';; *) echo '{code}';; esac"
        askpass.write_text(f"#!/bin/sh\n{said}\n")
        askpass.chmod(0o755)
        asked = {"SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"}
        return subprocess.run(
            ["ssh", "-F", "none", "-p", str(self.port), *chosen, f"{user}@127.0.0.1", *words],
            env=dict(os.environ) | asked,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )


@contextmanager
def door(folder: Path, *, ssh: dict[str, Any] | None = None, **options: Any) -> Iterator[Door]:
    """A broker with an SSH server on a port of its own."""
    with running(folder, ssh={"port": 0} | (ssh or {}), **options) as daemon:
        port = daemon.log.wait_for(r"^usher: ready on .* ssh://127\.0\.0\.1:(\d+)$")[1]
        yield Door(daemon, int(port))


async def run(connection: asyncssh.SSHClientConnection, command: Any, **options: Any) -> Any:
    """A command to its end, in time."""
    return await connection.run(command, timeout=DEADLINE_SECONDS, **options)
