"""x2goclient, at the SSH server that is built in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS
from e2e import sshdoor
from e2e.desktop import Desktop
from e2e.machine import Account
from e2e.offer import NAMES, SHELL, profiles
from e2e.x2goclient import X2GOCLIENT, x2goclient
from sshclients import Door, door

NEEDS = (*sshdoor.NEEDS, *X2GOCLIENT)


@pytest.fixture(scope="module")
def keys(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys, in which the account's own is alice's."""
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o755)
    shutil.copy(f"{sshdoor.key_of(account)}.pub", folder / "alice")
    (folder / "alice").chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def at(keys: Path, ssh_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A broker that nobody has an account at."""
    folder = tmp_path_factory.mktemp("door")
    with door(folder, ssh={"authorized_keys": keys}, profiles=profiles(ssh_port)) as made:
        yield made


def url_of(at: Door) -> str:
    """What the administrator tells alice."""
    return f"ssh://alice@127.0.0.1:{at.port}/usher"


def test_logs_in_with_a_password_is_sent_to_the_server_and_runs_a_command(
    screen: Desktop, at: Door, account: Account
) -> None:
    with x2goclient(screen, url_of(at)) as client:
        client.login("wonder")
        assert client.names() == set(NAMES.values())
        client.start(SHELL, account)


def test_logs_in_with_a_key_and_without_a_word(screen: Desktop, at: Door, account: Account) -> None:
    key = f"--broker-ssh-key={sshdoor.key_of(account)}"
    with x2goclient(screen, url_of(at), key) as client:
        assert client.names() == set(NAMES.values())


def test_stays_open_after_a_wrong_password_and_takes_the_right_one(
    screen: Desktop, at: Door
) -> None:
    with x2goclient(screen, url_of(at)) as client:
        client.login("wrong")
        screen.click(client.see("OK"))
        client.login("wonder")
        assert SHELL in client.names()


def test_shows_what_is_broken_and_ends_where_it_would_try_again_for_ever(
    screen: Desktop, keys: Path, account: Account, tmp_path: Path
) -> None:
    broken = "def list_profiles(user): return 1 / 0\ndef select_profile(user, sid): return None\n"
    (tmp_path / "broken.py").write_text(broken)
    backend = {"type": "python", "path": "broken.py"}
    with (
        door(tmp_path, ssh={"authorized_keys": keys}, profiles=backend, incidents=True) as at,
        x2goclient(screen, url_of(at), f"--broker-ssh-key={sshdoor.key_of(account)}") as client,
    ):
        client.until("the incident", lambda: "Something went wrong on our side" in client.text())
        screen.click(client.see("OK"))
        assert client.process.wait(DEADLINE_SECONDS) == 0
