"""A network of the tests' own. Nothing of it is seen outside, and it ends when the tests end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from daemon import DEADLINE_SECONDS, Log
from e2e.machine import running

NUMBERS = {"broker": 1, "h1": 11, "h2": 12, "desk": 21, "sofa": 22}
"""Who may be on the network, and the last part of their addresses."""

ADDRESSES = {name: f"10.0.0.{number}" for name, number in NUMBERS.items()}
NAMES = {address: name for name, address in ADDRESSES.items()}

PLACE = ("sh", "-c", "echo $$; exec cat")


@dataclass(frozen=True, slots=True)
class Namespaces:
    """What was unshared, as long as its first process runs; its log is that of all in it."""

    pid: int
    process: subprocess.Popen[str]
    log: Log

    def inside(self, *kinds: str) -> tuple[str, ...]:
        """The beginning of a command that is to run inside, and not longer than the tests."""
        leash = ("setpriv", "--pdeathsig", "KILL")
        return (*leash, "nsenter", "--target", str(self.pid), *(f"--{kind}" for kind in kinds))

    def hear(self) -> str:
        """The next thing that the first process says."""
        assert self.process.stdout
        said = self.process.stdout.readline().strip()
        assert said, f"it has ended: {self.log.whole()}"
        return said

    def tell(self, line: str) -> None:
        """Tell the first process something."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


@contextmanager
def namespaces(*command: str) -> Iterator[Namespaces]:
    """The namespaces of a command, which first says its process id, and ends with its input."""
    with running(*command) as (process, log):
        assert process.stdin and process.stdout
        try:
            yield Namespaces(int(process.stdout.readline()), process, log)
        finally:
            process.stdin.close()
            process.wait(DEADLINE_SECONDS)


@dataclass(frozen=True, slots=True)
class Lan:
    """A bridge with everybody on it. What is not plugged in vanishes without an answer."""

    broker: Namespaces

    def plug(self, name: str, place: Namespaces) -> None:
        """Connect a network namespace, under this name."""
        there = f"netns {place.pid}"
        peer = f"peer name eth0 address {_mac(name)} {there}"
        self._ip(f"link add {name} type veth {peer}", f"link set {name} master lan up")
        _ip(place, *_at("eth0", name))

    def cut(self, name: str) -> None:
        """From now on every packet to them and from them vanishes."""
        self._ip(f"link set {name} down")

    def mend(self, name: str) -> None:
        """Let packets through again."""
        self._ip(f"link set {name} up")

    @contextmanager
    def place(self, name: str) -> Iterator[Namespaces]:
        """A network namespace on the network: for programs that use the machine's files."""
        with namespaces("unshare", "--net", *PLACE) as made:
            self.plug(name, made)
            yield made

    def _ip(self, *lines: str) -> None:
        _ip(self.broker, *lines)


@contextmanager
def lan() -> Iterator[Lan]:
    """A network with nobody on it but the broker's place."""
    with namespaces("unshare", "--net", *PLACE) as broker:
        _ip(broker, f"link add lan address {_mac('broker')} type bridge", *_at("lan", "broker"))
        yield Lan(broker)


def _at(device: str, name: str) -> Iterator[str]:
    """Who is where is known beforehand: nobody finds out that another has gone by asking."""
    yield from ("link set lo up", f"address add {ADDRESSES[name]}/24 dev {device}")
    yield f"link set {device} up"
    for other in NUMBERS.keys() - {name}:
        yield f"neighbour add {ADDRESSES[other]} lladdr {_mac(other)} dev {device} nud permanent"


def _ip(place: Namespaces, *lines: str) -> None:
    options: dict[str, Any] = {"text": True, "check": True, "timeout": DEADLINE_SECONDS}
    subprocess.run([*place.inside("net"), "ip", "-batch", "-"], input="\n".join(lines), **options)


def _mac(name: str) -> str:
    return f"02:00:00:00:00:{NUMBERS[name]:02x}"
