"""Alice, who uses x2goclient: now at this desk of the farm, now at that one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon import Daemon
from e2e.farm.farm import Farm
from e2e.farm.host import Host
from e2e.machine import Account
from e2e.x2goclient import X2goClient, x2goclient


@contextmanager
def at(place: str, farm: Farm, broker: Daemon, account: Account) -> Iterator[X2goClient]:
    """Her client, when she has given the broker her password and has chosen the terminal."""
    url = broker.url.replace("://", "://alice@") + "plain/"
    with farm.desktop(place, account) as desktop, x2goclient(desktop, url) as client:
        client.login("wonder")
        client.choose("A terminal")
        yield client


def left_behind(farm: Farm, broker: Daemon, account: Account) -> tuple[Host, str]:
    """A session that she had at a desk; now it is suspended, and the desk is empty."""
    with at("desk", farm, broker, account) as client:
        host, session = session_of(client, farm, "desk")
        host.run("su", "alice", "-c", f"x2gosuspend-session {session}")
        known = f"{host.name}: has {session}, suspended"
        client.until("that the broker knows", lambda: known in why(broker))
    return host, session


def session_of(client: X2goClient, farm: Farm, place: str) -> tuple[Host, str]:
    """The session that her client shows at this place, and its server; waits for it."""
    client.until("a session", lambda: "\nrunning\n" in client.text())
    return client.until("it at the server", lambda: farm.shown(place))


def why(broker: Daemon) -> str:
    """What the broker knows of her sessions, and of the servers."""
    return broker.usher("why", "alice", "xterm").stdout
