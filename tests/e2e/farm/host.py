"""X2Go Servers of the tests' own: each is told to live, to fall silent, to die."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import debian
from daemon import DEADLINE_SECONDS
from e2e.farm.lan import ADDRESSES, Lan, Namespaces, namespaces
from e2e.machine import become

X2GOSERVER = (
    *("iproute2", "openssh-server", "sudo"),
    *("x2goserver", "x2goserver-x2goagent", "xauth", "xterm"),
)
"""The Debian packages that this takes."""

UNSHARE = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid")
FATE = ("--fork", "--kill-child", "--propagation", "private")
NODE = Path(__file__).with_name("node.py")

PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
ALL = ("net", "mount", "uts", "ipc", "pid")
LISTING = "/usr/lib/x2go/x2golistsessions_sql"  # the one that does not change what it lists


@dataclass(slots=True)
class Host:
    """An X2Go Server. ``setup`` is a script that makes it what the broker needs."""

    lan: Lan
    name: str
    users: Mapping[str, str] = field(repr=False)
    host_key: Path
    setup: str = ""
    _life: ExitStack = field(default_factory=ExitStack)
    _now: Namespaces | None = None

    @property
    def known_host(self) -> str:
        """Its line in a file of known hosts."""
        return f"{self.name} {self.host_key.with_suffix('.pub').read_text()}"

    def start(self) -> None:
        """Begin to live, with no sessions. Returns when it lets users in."""
        command = (*UNSHARE, *FATE, debian.PYTHON, "-c", NODE.read_text())
        self._now = self._life.enter_context(namespaces(*command))
        self.lan.plug(self.name, self._now)
        wanted = {"name": self.name, "names": ADDRESSES, "users": dict(self.users)}
        secrets = {"host_key": self.host_key.read_text(), "setup": self.setup}
        self._now.tell(json.dumps(wanted | secrets))
        assert self._now.hear() == "ready"
        self._now.log.wait_for("^Server listening on 0.0.0.0 ")

    def kill(self) -> None:
        """End all that runs on it. Whoever calls it later gets no answer."""
        self._life.close()
        self._now = None

    def freeze(self) -> None:
        """Fall silent: packets vanish on the way."""
        self.lan.cut(self.name)

    def thaw(self) -> None:
        """Be heard again."""
        self.lan.mend(self.name)

    def run(self, *command: str, user: str = "root") -> str:
        """What a command prints that runs on it, as this user."""
        assert self._now, f"{self.name} is dead"
        done = subprocess.run(
            [*self._now.inside(*ALL), *become(user), "env", "-i", PATH, *command],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert not done.returncode, f"{command} on {self.name}: {done.stderr}{done.stdout}"
        return done.stdout

    def sessions(self) -> dict[str, str]:
        """The sessions in its database, with their states."""
        lines = self.run(LISTING, self.name).splitlines()
        return {fields[1]: fields[4] for fields in (line.split("|") for line in lines)}


@contextmanager
def hosts(lan: Lan, folder: Path, users: Mapping[str, str], *names: str) -> Iterator[list[Host]]:
    """X2Go Servers that do not live yet; dead at the end."""
    made = [Host(lan, name, users, key_pair(folder / f"{name}_host_key")) for name in names]
    with ExitStack() as stack:
        for host in made:
            stack.callback(host.kill)
        yield made


def key_pair(path: Path) -> Path:
    """A new SSH key; the public one is beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path
