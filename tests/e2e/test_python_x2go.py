"""python-x2go, and pyhoca-cli on top of it."""

from __future__ import annotations

import json
import re

import debian
from daemon import Daemon
from e2e.desktop import DESKTOP, Desktop
from e2e.machine import Account
from e2e.offer import NAMES, SHELL

NEEDS = ("openssh-server", "pyhoca-cli", "python3-x2go", *DESKTOP)

PROFILES = """
import json, sys
from x2go.backends.profiles.httpbroker import X2GoSessionProfiles
profiles = X2GoSessionProfiles(broker_url=sys.argv[1], broker_password=sys.argv[2])
"""


def test_lists_every_profile_under_the_name_the_administrator_gave_it(
    screen: Desktop, broker: Daemon
) -> None:
    listed = pyhoca(screen, broker, "wonder", "--list-profiles")
    assert set(re.findall(r"^Profile Name: (.*)$", listed, re.MULTILINE)) == set(NAMES.values())


def test_lists_nothing_with_a_wrong_password(screen: Desktop, broker: Daemon) -> None:
    listed = pyhoca(screen, broker, "wrong", "--list-profiles")
    assert "Available X2Go session profiles" in listed
    assert "Profile Name" not in listed


def test_may_try_again_after_a_wrong_password(account: Account, broker: Daemon) -> None:
    first, second, known = python_x2go(
        account,
        broker,
        "wrong",
        "[profiles.is_broker_authenticated(),"
        " profiles.broker_simpleauth('alice', 'wonder'),"
        " profiles.has_profile('shell')]",
    )
    assert (first, second, known) == (False, True, True)


def test_is_told_the_server_of_a_profile_and_none_for_one_it_cannot_have(
    account: Account, broker: Daemon, ssh_port: int
) -> None:
    told = python_x2go(
        account,
        broker,
        "wonder",
        "[profiles.broker_selectsession(sid) for sid in ('shell', 'made-up')]",
    )
    assert told[0] == {"server": "127.0.0.1", "port": ssh_port}
    assert told[1]["server"].endswith(".invalid")


def test_logs_in_to_the_server_of_the_profile_and_runs_a_command(
    screen: Desktop, account: Account, broker: Daemon
) -> None:
    pyhoca(
        screen,
        broker,
        "wonder",
        *("--session-profile", SHELL, "--list-sessions", "--add-to-known-hosts"),
        *("--username", account.name, "--password", account.password),
    )
    assert "x2golistsessions" in account.commands()


def pyhoca(screen: Desktop, broker: Daemon, password: str, *arguments: str) -> str:
    """What pyhoca-cli prints for alice with this password."""
    command = ("pyhoca-cli", "--broker-url", url_of(broker), "--broker-password", password)
    done = screen.account.run(*command, *arguments, **screen.environment)
    assert not done.returncode, done.stderr + done.stdout
    return done.stdout


def python_x2go(account: Account, broker: Daemon, password: str, expression: str) -> list:
    """The value of an expression about ``profiles``, python-x2go's view of the broker."""
    script = f"{PROFILES}print(json.dumps({expression}))"
    done = account.run(debian.PYTHON, "-c", script, url_of(broker), password)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def url_of(broker: Daemon) -> str:
    """What the administrator tells the users, with alice's name in it."""
    return broker.url.replace("://", "://alice@") + "json/"
