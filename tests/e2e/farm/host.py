"""X2Go Servers of the tests' own: each is told to live, to fall silent, to die."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import debian
from daemon import DEADLINE_SECONDS, Log
from e2e.farm.lan import ADDRESSES, NAMES, Lan, Namespaces, namespaces
from e2e.machine import become

X2GOSERVER = (
    *("curl", "iproute2", "openssh-server", "sudo"),
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
    setup: str = field(default="", repr=False)
    _life: ExitStack = field(default_factory=ExitStack, repr=False)
    _now: Namespaces | None = field(default=None, repr=False)

    @property
    def known_host(self) -> str:
        """Its line in a file of known hosts."""
        return f"{self.name} {self.host_key.with_suffix('.pub').read_text()}"

    @property
    def lives(self) -> bool:
        """Whether it has been started, and not killed since."""
        return self._now is not None

    @property
    def log(self) -> Log:
        """What its programs tell the system's log."""
        assert self._now, f"{self.name} is dead"
        return self._now.log

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
        if self._now:
            print(f"{self.name}:\n{self._now.log.whole()}")  # pytest shows it when the test fails
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

    def sessions(self) -> dict[str, tuple[str, str]]:
        """The sessions in its database: the state of each, and where its client is or was."""
        lines = (line.split("|") for line in self.run(LISTING, self.name).splitlines())
        return {fields[1]: (fields[4], NAMES.get(fields[7], "")) for fields in lines}


@contextmanager
def hosts(lan: Lan, users: Mapping[str, str], keys: Mapping[str, Path]) -> Iterator[list[Host]]:
    """X2Go Servers that do not live yet, with these host keys; dead at the end."""
    made = [Host(lan, name, users, key) for name, key in keys.items()]
    with ExitStack() as stack:
        for host in made:
            stack.callback(host.kill)
        yield made


def key_pair(path: Path) -> Path:
    """A new SSH key; the public one is beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path
