"""A broker behind Debian's sshd: the command, a key to log in with, and who may."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e import machine
from e2e.machine import Account
from thin import installed

NEEDS = ("openssh-client", "openssh-server")


@dataclass(frozen=True, slots=True)
class Door:
    """An SSH server that runs usher-ssh, which asks the daemon."""

    port: int
    account: Account
    command: Path
    key: Path
    forced: bool

    @property
    def url(self) -> str:
        """What the administrator tells the user."""
        return f"ssh://{self.account.name}@127.0.0.1:{self.port}{self.command}"

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command by OpenSSH's own client."""
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
        where = ["-o", "UserKnownHostsFile=/dev/null", "-p", str(self.port), "127.0.0.1"]
        return self.account.run("ssh", "-F", "none", *options, "-i", str(self.key), *where, command)


@contextmanager
def door(socket: Path, account: Account, *, forced: bool = False) -> Iterator[Door]:
    """The door to the daemon at this socket.

    With ``forced`` it runs the command whatever the client wants to run.
    """
    folder = Path(tempfile.mkdtemp(dir=socket.parent))
    folder.chmod(0o755)
    command = installed(folder, socket)
    settings = [f"SetEnv USHER_SOCKET={socket}"]
    settings += [f"ForceCommand {command.path}"] if forced else []
    with machine.sshd(folder, account, *settings) as port:
        yield Door(port, account, command.path, key_of(account), forced)


def key_of(account: Account) -> Path:
    """The account's own key, with which it may log in here; made at first."""
    key = account.home / ".ssh" / "id_rsa"
    if not key.exists():
        account.run("mkdir", "-m", "700", str(key.parent))
        account.run("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(key))
        account.run("cp", f"{key}.pub", str(key.with_name("authorized_keys")))
    return key
