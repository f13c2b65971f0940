"""Two X2Go Servers, a broker that knows them, and desks to sit at: on a network of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator, Mapping
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
from e2e.machine import Account, until

PASSWORD = "alice's on the servers"

PROFILES = """\
[DEFAULT]
host = h1 (10.0.0.11), h2 (10.0.0.12)
command = xterm
rootless = true
sound = false
fstunnel = false
print = false
autologin = true
user = BROKER_USER
broker-session-autologin = true

[xterm]
name = A terminal
"""

EXISTING = """\
install -d -m 0700 -o x2gobroker -g x2gobroker ~x2gobroker/.ssh
cat > ~x2gobroker/.ssh/authorized_keys <<'END'
command="/usr/lib/x2go/x2gobroker-agent",no-port-forwarding,no-X11-forwarding,no-pty {key}
END
cat > /etc/ssh/sshd_config.d/x2go.conf <<'END'
AuthorizedKeysFile .ssh/authorized_keys .x2go/authorized_keys
END
"""
"""What administrators have done for an existing broker, beside installing its agent."""

SELECT = "task=selectsession&user=alice&password=wonder&sid=xterm"


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

    def shown(self, place: str) -> tuple[Host, str] | None:
        """The session that runs and is shown at this place, and its server."""
        living = (host for host in (self.h1, self.h2) if host.lives)
        every = ((host, id, found) for host in living for id, found in host.sessions().items())
        return next(((host, id) for host, id, found in every if found == ("R", place)), None)

    @contextmanager
    def broker(self, settings: str = "") -> Iterator[Daemon]:
        """A broker on the network, for these servers; with more settings of the profile."""
        # The child that makes keys is as nice as can be: here, just as nice as everybody else.
        place = (*self.lan.broker.inside("net"), "nice", "--adjustment=-19")
        http = {"host": ADDRESSES["broker"], "plaintext": True}
        tables = {"http": http, "keys": {"pool": 4}, **self.tables}
        with broker_running(
            self.folder, place=place, profiles=PROFILES + settings, **tables
        ) as daemon:
            assert until(daemon.process, lambda: "KEY" in self.select(daemon))
            yield daemon

    def select(self, broker: Daemon) -> str:
        """What alice is told who selects the terminal."""
        url = f"{broker.url}plain/"
        command = (*self.lan.broker.inside("net"), "curl", "--silent", "--data", SELECT, url)
        return subprocess.check_output(command, text=True, timeout=DEADLINE_SECONDS)

    @contextmanager
    def desktop(self, name: str, account: Account) -> Iterator[Desktop]:
        """A desktop on the network, at which a user sits."""
        with (
            self.lan.place(name) as place,
            desktop(replace(account, place=place.inside("net"))) as made,
        ):
            yield made


@contextmanager
def running(
    folder: Path, keys: Mapping[str, Path], existing: Collection[str] = ()
) -> Iterator[Farm]:
    """Two servers that are up: with our agent, but for those with the agent of existing farms."""
    key, known = key_pair(folder / "key"), folder / "known_hosts"
    ours = {"type": "usher", "key": key, "known_hosts": known}
    theirs = {**ours, "type": "ssh"}
    agents = (ours, {"type": "mixed", "preferred": ours, "fallback": theirs}, theirs)
    tables = {"agent": agents[len(existing)]}
    config = write_config(folder, profiles=PROFILES, **tables)
    with lan() as network, hosts(network, {"alice": PASSWORD}, keys) as made:
        known.write_text("".join(host.known_host for host in made))
        for host in made:
            host.setup = _theirs(key) if host.name in existing else _ours(config, host)
            host.start()
        yield Farm(network, *made, folder, tables)


def _ours(config: Path, host: Host) -> str:
    installed = usher("hosts", "install", host.name, "-c", str(config))
    assert not installed.returncode, installed.stderr
    return installed.stdout


def _theirs(key: Path) -> str:
    return EXISTING.format(key=key.with_suffix(".pub").read_text().strip())


def knows(agent: Dialogue, states: list[str]) -> dict[str, Any]:
    """What the agent tells of the sessions, once their states are these.

    It may have told while it was asked for something else.
    """

    def fits(said: dict[str, Any]) -> bool:
        return "sessions" in said and [found["state"] for found in said["sessions"]] == states

    told = [said for said in agent.heard if "sessions" in said][-1:]
    return next(filter(fits, told), None) or agent.hear(fits)


def suspend(agent: Dialogue, session: str) -> None:
    """Have the agent suspend a session, as soon as it has wholly begun."""
    assert until(agent.process, lambda: agent.ask(verb="suspend", session=session)["ok"])
