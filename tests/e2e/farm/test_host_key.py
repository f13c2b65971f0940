"""A server that shows another host key than the one that it is known by."""

from __future__ import annotations

import subprocess
import sys

from daemon import DEADLINE_SECONDS, Daemon
from e2e.farm.farm import Farm
from e2e.farm.host import X2GOSERVER, key_pair
from e2e.farm.lan import ADDRESSES
from e2e.machine import until

NEEDS = X2GOSERVER

WHY = "its host key is not the known one: usher hosts trust h1"


def test_gets_nobody_until_somebody_trusts_it_anew(farm: Farm) -> None:
    with farm.broker() as broker:
        farm.h1.kill()
        farm.h1.host_key = key_pair(farm.folder / "another")
        farm.h1.start()
        broker.log.wait_for(f"WARNING .*: no agent on h1: {WHY}$", seconds=60)
        assert f"down: {WHY}" in row(broker)
        for _ in range(3):
            assert f"{ADDRESSES['h2']}:22\n" in farm.select(broker)
        trust(farm, broker)
        assert until(broker.process, lambda: "  up  " in row(broker))


def row(broker: Daemon) -> str:
    """What people are told of the server."""
    lines = broker.usher("hosts").stdout.splitlines()
    return next(line for line in lines if line.startswith("h1"))


def trust(farm: Farm, broker: Daemon) -> None:
    """Look at the server's new key, and say yes."""
    words = ("-m", "usher.cli", "hosts", "trust", "h1", "-c", str(broker.config))
    command = [*farm.lan.broker.inside("net"), sys.executable, *words]
    subprocess.run(command, input="y\n", text=True, check=True, timeout=DEADLINE_SECONDS)
