"""x2goclient, at a broker behind Debian's sshd."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS
from e2e import sshdoor
from e2e.desktop import Desktop
from e2e.machine import Account
from e2e.offer import NAMES, SHELL
from e2e.sshdoor import Door, door
from e2e.x2goclient import X2GOCLIENT, x2goclient

NEEDS = (*sshdoor.NEEDS, *X2GOCLIENT)


def test_logs_in_with_the_password_of_the_account(screen: Desktop, entrance: Door) -> None:
    with x2goclient(screen, entrance.url) as client:
        client.login(entrance.account.password)
        assert client.names() == set(NAMES.values())


def test_logs_in_with_a_key_is_sent_to_the_server_and_runs_a_command(
    screen: Desktop, entrance: Door, account: Account
) -> None:
    with x2goclient(screen, entrance.url, f"--broker-ssh-key={entrance.key}") as client:
        client.start(SHELL, account)


@pytest.mark.parametrize("forced", [False, True], ids=["free", "forced"])
def test_shows_a_refusal_and_ends_where_it_would_try_again_for_ever(
    screen: Desktop, folder: Path, account: Account, forced: bool
) -> None:
    with (
        door(folder / "no.sock", account, forced=forced) as nobody,
        x2goclient(screen, nobody.url, f"--broker-ssh-key={nobody.key}") as client,
    ):
        client.until("the sentence", lambda: "The broker does not answer (" in client.text())
        screen.click(client.see("OK"))
        assert client.process.wait(DEADLINE_SECONDS) == 0
