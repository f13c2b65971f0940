"""What the tests borrow from the machine, and give back: processes, an account, an sshd."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from daemon import DEADLINE_SECONDS, Log

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
LOOK_EVERY_SECONDS = 0.1

WEB_ACCOUNT = "www-data"

SSHD_CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
PidFile none
UsePAM no
AllowUsers {account}
"""

RECORD_COMMANDS = 'echo "$BASH_EXECUTION_STRING" >> ~/commands\n'


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine for as long as the tests run.

    ``place``: the beginning of a command that is to run in another place, as nsenter does.
    """

    name: str
    password: str = field(repr=False)
    home: Path
    place: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """What its programs find in their environment, and nothing else."""
        folders = dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR"), str(self.home))
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **folders}

    @contextmanager
    def running(
        self, *command: str, **environment: str
    ) -> Iterator[tuple[subprocess.Popen[str], Log]]:
        """A process of this account."""
        settings = self.environment() | environment
        with running(*self._here(command), env=settings, cwd=self.home) as started:
            yield started

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this account to its end, in time."""
        return subprocess.run(
            self._here(command),
            env=self.environment() | environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def _here(self, command: tuple[str, ...]) -> tuple[str, ...]:
        return (*self.place, *become(self.name), *command)

    def commands(self) -> str:
        """The commands that were run for it through SSH, one a line."""
        record = self.home / "commands"
        return record.read_text() if record.exists() else ""


@contextmanager
def running(
    *command: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[tuple[subprocess.Popen[str], Log]]:
    """A process with pipes for its input and output; ended at the end. The log is its errors."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        errors="replace",
        env=env,
        cwd=cwd,
    ) as process:
        try:
            yield process, Log(process)
        finally:
            process.terminate()
            try:
                process.wait(DEADLINE_SECONDS)
            finally:
                process.kill()


def until(process: subprocess.Popen[Any], look: Callable[[], T | None]) -> T | None:
    """What the look finds; repeated until it finds something, the process ends, or time is up."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := look():
            return found
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_EVERY_SECONDS)
    return None


def become(name: str) -> tuple[str, ...]:
    """The beginning of a command that this user is to run, and not for longer than the tests."""
    ids = ("--reuid", name, "--regid", name, "--init-groups")
    return ("setpriv", *ids, "--pdeathsig", "KILL")


@contextmanager
def account(folder: Path) -> Iterator[Account]:
    """A new account with a home in the folder; gone at the end, with all its processes."""
    made = Account(f"usher-{token_hex(3)}", token_hex(8), folder / "home")
    subprocess.run(
        ["useradd", "--create-home", "--home-dir", made.home, "--shell", "/bin/bash", made.name],
        check=True,
    )
    try:
        login = f"{made.name}:{made.password}"
        subprocess.run(["chpasswd"], input=login, text=True, check=True)
        made.home.chmod(0o700)
        (made.home / ".bashrc").write_text(RECORD_COMMANDS)
        yield made
    finally:
        subprocess.run(["pkill", "-KILL", "--uid", made.name], check=False)
        subprocess.run(["userdel", "--force", made.name], check=True)


@contextmanager
def another_name(account: Account) -> Iterator[str]:
    """A second name for this account, as directories have them that do not care for capitals."""
    uid = subprocess.run(["id", "-u", account.name], capture_output=True, text=True, check=True)
    name = f"{account.name}-too"
    words = ["useradd", "--non-unique", "--uid", uid.stdout.strip(), "--no-create-home", name]
    subprocess.run(words, check=True)
    try:
        yield name
    finally:
        subprocess.run(["userdel", "--force", name], check=True)


@contextmanager
def sshd(folder: Path, account: Account, *settings: str) -> Iterator[int]:
    """An SSH server with keys of its own that lets this account in, and nobody else; its port.

    ``settings``: further lines of its configuration.
    """
    key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", key], check=True)
    port = free_port()
    config = folder / "sshd_config"
    text = SSHD_CONFIG.format(port=port, folder=folder, account=account.name)
    config.write_text("\n".join((text, *settings, "")))
    Path("/run/sshd").mkdir(exist_ok=True)
    with running("/usr/sbin/sshd", "-D", "-e", "-f", str(config)) as (_, log):
        log.wait_for(r"^Server listening on ")
        yield port


def free_port() -> int:
    """A port of loopback that nobody listens on, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
