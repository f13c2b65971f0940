"""OpenSSH's ssh, at a broker behind Debian's sshd."""

from __future__ import annotations

import pytest
from daemon import Daemon
from e2e import sshdoor
from e2e.machine import Account, another_name
from e2e.sshdoor import Door

NEEDS = sshdoor.NEEDS

MARK = "1206defd-23b9-4df5-aba6-bc06653718b9"
BEGIN, END = f"X2GODATABEGIN:{MARK}\n", f"X2GODATAEND:{MARK}\n"


def wrapped(command: str) -> str:
    """A command as X2Go Client sends it."""
    return (
        f'bash -l -c \'echo "X2GODATABEGIN:{MARK}"; '
        'export PATH="/usr/local/bin:/usr/bin:/bin";export TERM="dumb"; '
        f'{command}; echo "X2GODATAEND:{MARK}";\''
    )


def test_the_probe_is_answered(entrance: Door) -> None:
    assert entrance.ssh('echo "LOGIN OK"').stdout == "LOGIN OK\n"


@pytest.mark.parametrize("named", [True, False])
def test_a_bare_command_is_answered_for_the_account(entrance: Door, named: bool) -> None:
    user = f"--user {entrance.account.name} " if named else ""
    said = entrance.ssh(f"{entrance.command} {user}--task listsessions")
    assert said.returncode == 0
    assert said.stdout.startswith("AUTHID:")
    assert "\nAccess granted\nSTART_USER_SESSIONS\n" in said.stdout


def test_whoever_is_known_by_two_names_may_say_either(entrance: Door, account: Account) -> None:
    with another_name(account) as name:
        said = entrance.ssh(f"{entrance.command} --user {name} --task listsessions")
    assert f"\nuser={account.name}\n" in said.stdout


def test_a_wrapped_command_is_answered_between_its_marks(entrance: Door) -> None:
    select = '--task selectsession --sid "shell" --login alice'
    said = entrance.ssh(wrapped(f"{entrance.command} --user {entrance.account.name} {select}"))
    assert said.stdout.startswith(f"{BEGIN}AUTHID:")
    assert said.stdout.endswith(END)
    assert "\nSERVER:127.0.0.1:" in said.stdout


@pytest.mark.parametrize("user", ["root", "alice"])
def test_who_asks_for_somebody_else_is_told_on_standard_error(entrance: Door, user: str) -> None:
    command = f"{entrance.command} --user {user} --task listsessions"
    sentence = "Log in to the broker as the user that you ask for.\n"
    bare, inside = entrance.ssh(command), entrance.ssh(wrapped(command))
    assert (bare.stdout, bare.stderr) == ("", sentence)
    assert inside.stdout in ("", BEGIN + END)
    assert inside.stderr == sentence


def test_the_client_is_at_the_address_it_comes_from(entrance: Door, own_broker: Daemon) -> None:
    entrance.ssh(f"{entrance.command} --user eve --task listsessions")
    own_broker.log.wait_for("refused .* at 127.0.0.1: auth: .* asks for 'eve'")


def test_only_behind_a_forced_command_nothing_else_runs(entrance: Door) -> None:
    said = entrance.ssh("echo done")
    assert said.stdout == ("" if entrance.forced else "done\n")
    assert ("'done' is no option." in said.stderr) == entrance.forced
