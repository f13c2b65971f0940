"""python-x2go, through Usher, to sessions on real X2Go Servers, with a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import debian
import pytest
from daemon import Daemon
from e2e.desktop import DESKTOP
from e2e.farm.farm import Farm, knows, suspend
from e2e.farm.host import X2GOSERVER
from e2e.machine import Account

NEEDS = ("pyhoca-cli", "python3-x2go", *DESKTOP, *X2GOSERVER)

PYHOCA = Path(__file__).with_name("pyhoca.py")

pytestmark = pytest.mark.timeout(300)  # two clients, each with all its patience


def test_resumes_its_session_wherever_it_is_and_begins_none_beside_it(
    farm: Farm, account: Account
) -> None:
    with farm.broker() as broker, farm.agent(farm.h1) as agent:
        assert not broker.usher("drain", "h2").returncode
        with pyhoca("desk", farm, broker, account):
            session = knows(agent, ["R"])["sessions"][0]["id"]
            suspend(agent, session)
            knows(agent, ["S"])
        assert not broker.usher("undrain", "h2").returncode
        assert not broker.usher("drain", "h1").returncode
        with pyhoca("sofa", farm, broker, account):
            knows(agent, ["R"])
            assert farm.h1.sessions() == {session: ("R", "sofa")}
            assert farm.h2.sessions() == {}


@contextmanager
def pyhoca(place: str, farm: Farm, broker: Daemon, account: Account) -> Iterator[None]:
    """pyhoca-cli, when alice wants the terminal: the one she has, or else a new one."""
    url = broker.url.replace("://", "://alice@") + "json/"
    login = ("--broker-url", url, "--broker-password", "wonder", "--session-profile", "A terminal")
    wanted = ("--new", "--try-resume", "--command", "xterm", "--session-type", "application")
    options = ("--add-to-known-hosts", "--sound", "none", "--kbd-type", "pc105/us")
    command = (debian.PYTHON, "-c", PYHOCA.read_text(), *login, *wanted, *options)
    with (
        farm.desktop(place, account) as desk,
        desk.account.running(*command, **desk.environment) as (_, log),
    ):
        try:
            yield
        finally:
            print(log.text())
