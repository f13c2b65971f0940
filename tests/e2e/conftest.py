"""Tests with the programs that users have: what they need, and a word about those not run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon
from daemon import running as broker_running
from e2e import machine, offer
from e2e.desktop import Desktop, desktop
from e2e.machine import Account
from e2e.sshdoor import Door, door

WHERE = {
    "at-spi2-core": "/usr/libexec/at-spi2-registryd",
    "curl": "curl",
    "dbus-daemon": "dbus-daemon",
    "iproute2": "/usr/sbin/ip",
    "libdbd-pg-perl": "/usr/share/doc/libdbd-pg-perl",
    "lighttpd": "/usr/sbin/lighttpd",
    "openssh-client": "ssh",
    "openssh-server": "/usr/sbin/sshd",
    "postgresql": "/usr/lib/postgresql",
    "pyhoca-cli": "pyhoca-cli",
    "python3-dbus": "/usr/lib/python3/dist-packages/dbus",
    "python3-x2go": "/usr/lib/python3/dist-packages/x2go",
    "sudo": "sudo",
    "x2gobroker-agent": "/usr/lib/x2go/x2gobroker-agent",
    "x2goclient": "x2goclient",
    "x2goserver": "x2golistsessions",
    "x2goserver-x2goagent": "x2goagent",
    "xauth": "xauth",
    "xdotool": "xdotool",
    "xterm": "xterm",
    "xvfb": "Xvfb",
}
"""Debian packages, and a program or folder of each."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Run what can be run; where everything must be, fail for what cannot."""
    packages = [name for name in item.module.NEEDS if not _installed(name)]
    wants = ["root"] if os.geteuid() else []
    wants += [f"apt-get install {' '.join(packages)}"] if packages else []
    if wants and os.environ.get("CI") == "true":
        pytest.fail(f"this cannot be tested without {' and '.join(wants)}", pytrace=False)
    if wants:
        pytest.skip(f"{item.module.__doc__.splitlines()[0]} It needs {' and '.join(wants)}.")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in words what nobody has tested."""
    here = str(Path(__file__).parent.relative_to(terminalreporter.config.rootpath))
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {report.longrepr[2] for report in skipped if report.nodeid.startswith(here)}
    if reasons:
        terminalreporter.section("not tested with real clients")
        for reason in sorted(reasons):
            terminalreporter.line(reason.removeprefix("Skipped: "))


def _installed(package: str) -> bool:
    return Path(WHERE[package]).exists() or shutil.which(WHERE[package]) is not None


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that other accounts may look into; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="usher-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def account(folder: Path) -> Iterator[Account]:
    """Who sits at the client, and has an account of the same name at the server."""
    with machine.account(folder) as account:
        yield account


@pytest.fixture(scope="session")
def screen(account: Account) -> Iterator[Desktop]:
    """Where the clients show themselves, one at a time."""
    with desktop(account) as made:
        yield made


@pytest.fixture(scope="session")
def ssh_port(folder: Path, account: Account) -> Iterator[int]:
    """The port of the SSH server that the broker sends everybody to."""
    with machine.sshd(folder, account) as port:
        yield port


@pytest.fixture(scope="session")
def broker(folder: Path, ssh_port: int) -> Iterator[Daemon]:
    """A broker that the usual web server may speak to."""
    relays = {"relays": [machine.WEB_ACCOUNT]}
    with broker_running(folder, profiles=offer.profiles(ssh_port), socket=relays) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def own_broker(folder: Path, ssh_port: int, account: Account) -> Iterator[Daemon]:
    """A broker for the account that sits at the client, which logs in by SSH."""
    here = folder / "own"
    here.mkdir()
    with broker_running(here, profiles=offer.profiles(ssh_port, account.name)) as daemon:
        yield daemon


@pytest.fixture(scope="module", params=[False, True], ids=["free", "forced"])
def entrance(
    request: pytest.FixtureRequest, own_broker: Daemon, account: Account
) -> Iterator[Door]:
    """Debian's sshd before that broker, as it is and with ForceCommand."""
    with door(own_broker.socket_path, account, forced=request.param) as made:
        yield made
