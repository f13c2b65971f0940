"""One-time keys that have to pass an SSH proxy: real sshds, and a client between them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from daemon import DEADLINE_SECONDS, running
from e2e.desktop import DESKTOP
from e2e.farm.farm import Farm
from e2e.farm.host import X2GOSERVER
from e2e.farm.lan import ADDRESSES, Namespaces

NEEDS = (*DESKTOP, *X2GOSERVER)

PROXY, SERVER = ADDRESSES["h1"], ADDRESSES["h2"]
PROFILES = f"""\
[office]
host = h2 ({SERVER})
broker-session-autologin = true
usesshproxy = true
sshproxyhost = {PROXY}
sshproxysameuser = true
sshproxysamekey = true
"""
SELECT = "task=selectsession&user=alice&password=wonder&sid=office"
DENIED, PROHIBITED = "Permission denied", "administratively prohibited"


def test_a_key_leads_from_its_desk_through_the_proxy_to_its_server_and_nowhere_else(
    farm: Farm,
) -> None:
    known = farm.folder / "known_hosts"
    known.write_text(known.read_text() + farm.h1.known_host.replace("h1", PROXY, 1))
    place, http = farm.lan.broker.inside("net"), {"host": ADDRESSES["broker"], "plaintext": True}
    with (
        farm.lan.place("desk") as desk,
        farm.lan.place("sofa") as sofa,
        running(
            farm.folder, place=place, profiles=PROFILES, http=http, keys={"pool": 1}, **farm.tables
        ) as broker,
    ):
        key = farm.folder / "one-time"
        key.touch(0o600)
        key.write_text(given(desk, f"{broker.url}plain/"))
        assert through(farm, desk, key, f"{SERVER}:22").stdout == "alice\n"
        assert DENIED in farm.ssh(desk, farm.h2, "alice", key).stderr
        assert f"alice@{PROXY}: {DENIED}" in through(farm, sofa, key, f"{SERVER}:22").stderr
        assert PROHIBITED in through(farm, desk, key, f"{PROXY}:22").stderr


def given(place: Namespaces, url: str) -> str:
    """The private key that a client at this place gets, once one has been made."""
    curl = (*place.inside("net"), "curl", "--silent", "--data", SELECT, url)
    end, told = time.monotonic() + DEADLINE_SECONDS, ""
    while "KEY" not in told:
        assert time.monotonic() < end, told
        told = subprocess.run(curl, capture_output=True, text=True, check=True).stdout
    assert f"SERVER:!{SERVER}:22\n" in told
    return told[told.index("-----BEGIN") :]


def through(
    farm: Farm, place: Namespaces, key: Path, target: str
) -> subprocess.CompletedProcess[str]:
    """Ask a server who one is there, through the proxy."""
    options = f"-F none -o BatchMode=yes -o IdentitiesOnly=yes -i {key}"
    options += f" -o UserKnownHostsFile={farm.folder}/known_hosts"
    proxy = f"ssh {options} -W {target} alice@{PROXY}"
    ssh = ("ssh", *options.split(), "-o", f"ProxyCommand={proxy}", "-o", "HostKeyAlias=h2")
    return subprocess.run(
        [*place.inside("net"), *ssh, f"alice@{SERVER}", "id --user --name"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
