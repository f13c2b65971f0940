"""Two X2Go Servers, a broker that knows them, and desks to sit at: on a network of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentbox import Dialogue
from daemon import DEADLINE_SECONDS, Daemon, usher, write_config
from daemon import running as broker_running
from e2e.desktop import Desktop, desktop
from e2e.farm.host import Host, hosts, key_pair
from e2e.farm.lan import ADDRESSES, Lan, Namespaces, lan
from e2e.machine import Account

PASSWORD = "alice's on the servers"

PROFILES = """\
[DEFAULT]
host = h1 (10.0.0.11), h2 (10.0.0.12)
command = xterm
rootless = true
sound = false
fstunnel = false
print = false
broker-session-autologin = true

[xterm]
name = A terminal
"""


@dataclass(frozen=True, slots=True)
class Farm:
    """Two servers, and the configuration of a broker that they know."""

    lan: Lan
    h1: Host
    h2: Host
    folder: Path
    tables: dict[str, Any]

    @contextmanager
    def agent(self, host: Host) -> Iterator[Dialogue]:
        """A dialogue with the agent of a server, begun as the broker begins it."""
        command = self._ssh(self.lan.broker, host, "usher-agent", self.folder / "key")
        dialogue = Dialogue([*command])
        try:
            yield dialogue
        finally:
            dialogue.close()

    def ssh(
        self, place: Namespaces, host: Host, user: str, key: Path, wanted: str = "id --user --name"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a server, with a key, from a place on the network."""
        return subprocess.run(
            [*self._ssh(place, host, user, key), wanted],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def _ssh(self, place: Namespaces, host: Host, user: str, key: Path) -> tuple[str, ...]:
        known = f"UserKnownHostsFile={self.folder}/known_hosts"
        options = ("BatchMode=yes", f"HostKeyAlias={host.name}", known, "IdentitiesOnly=yes")
        words = [word for option in options for word in ("-o", option)]
        target = f"{user}@{ADDRESSES[host.name]}"
        return (*place.inside("net"), "ssh", "-F", "none", *words, "-i", str(key), target)

    @contextmanager
    def broker(self) -> Iterator[Daemon]:
        """A broker on the network, for these servers."""
        place = self.lan.broker.inside("net")
        http = {"host": ADDRESSES["broker"]}
        with broker_running(
            self.folder, place=place, profiles=PROFILES, http=http, **self.tables
        ) as daemon:
            yield daemon

    @contextmanager
    def desktop(self, name: str, account: Account) -> Iterator[Desktop]:
        """A desktop on the network, at which a user sits."""
        with (
            self.lan.place(name) as place,
            desktop(replace(account, place=place.inside("net"))) as made,
        ):
            yield made


@contextmanager
def running(folder: Path) -> Iterator[Farm]:
    """Two servers that are up, as ``usher hosts install`` leaves them."""
    key = key_pair(folder / "key")
    with lan() as network, hosts(network, folder, {"alice": PASSWORD}, "h1", "h2") as made:
        known = folder / "known_hosts"
        known.write_text("".join(host.known_host for host in made))
        tables = {"agent": {"type": "usher", "key": key, "known_hosts": known}}
        config = write_config(folder, profiles=PROFILES, **tables)
        for host in made:
            installed = usher("hosts", "install", host.name, "-c", str(config))
            assert not installed.returncode, installed.stderr
            host.setup = installed.stdout
            host.start()
        yield Farm(network, *made, folder, tables)
