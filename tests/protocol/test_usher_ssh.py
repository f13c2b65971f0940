"""``usher-ssh`` as an SSH server runs it: as an account of the machine, which is the login."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from daemon import Daemon, running
from thin import Command, installed

MARK = "1206defd-23b9-4df5-aba6-bc06653718b9"
ME = getpass.getuser()
LISTED = "Access granted\nSTART_USER_SESSIONS\n"

PROFILES = """\
[desktop]
name = Desktop
host = ts1.example.org
user = BROKER_USER

[far]
name = Far
host = ts2.example.org
acl-clients-allow = 203.0.113.0/24

[near]
name = Near
host = ts3.example.org
acl-clients-allow = 127.0.0.1

[daemons]
name = Daemons
host = ts4.example.org
acl-users-allow = daemon
"""

needs_root = pytest.mark.skipif(
    os.getuid() != 0 and os.environ.get("CI") != "true",
    reason="only root can take other accounts' place",
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that every account can reach: the usual ones are private."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    with running(
        folder,
        profiles=PROFILES,
        authenticator={"type": "static", "users": {ME: "secret", "alice": "wonder"}},
    ) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def command(folder: Path, daemon: Daemon) -> Command:
    return installed(folder, daemon.socket_path)


def test_a_bare_command_is_answered_for_the_account_that_logged_in(command: Command):
    said = command.run("--task", "listsessions")
    assert (said.status, said.err) == (0, "")
    assert said.out.partition("\n")[2].startswith(LISTED)
    assert f"\nuser={ME}\n" in said.out


@needs_root
@pytest.mark.parametrize("account", ["daemon", "nobody", "root"])
def test_the_kernel_says_who_asks_and_the_rules_are_about_them(command: Command, account: str):
    said = command.run("--user", account, "--task", "listsessions", account=account)
    assert said.status == 0
    assert f"user={account}\n" in said.out
    assert ("name=Daemons" in said.out) == (account == "daemon")


@needs_root
@pytest.mark.parametrize("named", ["root", "daemon", "alice", "NOBODY", "nobody x", "65534"])
def test_nobody_asks_for_somebody_else(command: Command, daemon: Daemon, named: str):
    said = command.run("--user", named, "--task", "listsessions", account="nobody")
    assert said.refused() == "Log in to the broker as the user that you ask for.\n"
    daemon.log.wait_for(f"'nobody' asks for '{named}'")


@needs_root
def test_an_account_without_a_name_is_nobody(command: Command):
    said = command.run("--task", "listsessions", account=54321)
    assert said.refused() == "This account has no name.\n"


def test_an_authid_makes_nobody_somebody_else(command: Command, daemon: Daemon):
    alices = daemon.post(user="alice", password="wonder").authid
    said = command.run("--authid", alices, "--task", "listsessions")
    assert f"user={ME}\n" in said.out
    assert command.run("--user", "alice", "--authid", alices).refused()


@pytest.mark.parametrize(
    ("connection", "profile"),
    [
        ("203.0.113.7 50000 192.0.2.1 22", "Far"),
        ("::ffff:203.0.113.7 50000 ::ffff:192.0.2.1 22", "Far"),
        ("", "Near"),
    ],
)
def test_the_address_of_the_client_is_the_one_that_sshd_tells(
    command: Command, connection: str, profile: str
):
    said = command.run("--task", "listsessions", SSH_CONNECTION=connection)
    assert f"name={profile}\n" in said.out
    assert ("name=Far" in said.out) + ("name=Near" in said.out) == 1


@pytest.mark.parametrize("connection", ["UNKNOWN 65535 UNKNOWN 65535", "1.2.3.4\nx 1 2 3", "é"])
def test_who_comes_from_no_address_is_refused(command: Command, connection: str):
    assert command.run("--task", "listsessions", SSH_CONNECTION=connection).refused()


def test_accounts_may_be_kept_from_saying_where_their_client_is(folder: Path):
    here = folder / "untrusting"
    here.mkdir()
    with running(here, profiles=PROFILES, socket={"trust_ssh_connection": False}) as daemon:
        command = installed(here, daemon.socket_path)
        for connection in ("203.0.113.7 50000 192.0.2.1 22", "UNKNOWN 65535 UNKNOWN 65535"):
            said = command.run("--task", "listsessions", SSH_CONNECTION=connection)
            assert "name=Near" in said.out
            assert "name=Far" not in said.out


def test_accounts_may_be_kept_out(folder: Path):
    here = folder / "closed"
    here.mkdir()
    with running(here, profiles=PROFILES, socket={"accounts": False}) as daemon:
        said = installed(here, daemon.socket_path).run("--task", "listsessions")
        assert said.refused() == "Accounts of this machine are no users of the broker.\n"
        daemon.log.wait_for("accounts = false")


def test_a_profile_is_selected_by_all_names_that_clients_have_for_it(command: Command):
    for option in ("--sid", "--profile-id"):
        said = command.run("--user", ME, "--task", "selectsession", option, "desktop")
        assert said.out.endswith("SERVER:ts1.example.org:22\n")
        said = command.run("--task", "selectsession", option, "daemons")
        assert "SERVER:no-server-available-please-try-later.invalid:22\n" in said.out
        assert said.status == 0


@pytest.mark.parametrize(
    "form",
    [
        {"task": "listsessions"},
        {"task": "selectsession", "sid": "desktop"},
        {"task": "selectsession", "sid": "desktop", "login": "bob"},
        {"task": "selectsession", "sid": "no such"},
        {"task": "setpass", "newpass": "new"},
        {"task": "clientevent", "sid": "a-51", "event": "FINISHED"},
        {"task": "unheard-of"},
    ],
)
def test_the_answer_is_the_one_that_http_has(
    command: Command, daemon: Daemon, form: dict[str, str]
):
    words = [word for name, value in form.items() for word in (f"--{name}", value)]
    by_http = daemon.post(user=ME, password="secret", **form).text
    assert _without_authid(command.run(*words).out) == _without_authid(by_http)


def _without_authid(answer: str) -> str:
    authid, _, rest = answer.partition("\n")
    assert authid.startswith("AUTHID:")
    return rest


def test_a_test_of_the_connection_is_answered_so_that_the_client_lives(command: Command):
    said = command.run("--authid", "a1", "--task", "testcon")
    assert said.out.startswith("Access granted\n")
    assert said.out.splitlines()[-1].startswith("SERVER:")
    assert len(said.out) > 10_000


@pytest.mark.parametrize("password", ["secret", "two  words", "--dashes", "ä€", "$(id)`id`"])
def test_a_new_password_is_answered_in_the_line_that_clients_wait_for(
    command: Command, password: str
):
    said = command.run("--user", ME, "--task", "setpass", "--newpass", *password.split(" "))
    assert "\nPASSWORD CHANGED: This broker cannot change passwords.\n" in said.out


def test_an_event_is_answered(command: Command):
    words = [
        "--task",
        "clientevent",
        "--sid",
        "a-51",
        "--event",
        "ALIVE",
        "--cmd",
        "xterm",
        "-e",
        '"x"',
        "--elapsed",
        "3",
    ]
    assert command.run(*words).out.endswith("Access granted\n")


BARE = "/usr/bin/x2gobroker --user {me} --task listsessions"
WRAPPED = (
    f'bash -l -c \'echo "X2GODATABEGIN:{MARK}"; export PATH="/usr/bin:/bin";'
    f'export TERM="dumb"; {BARE}; echo "X2GODATAEND:{MARK}";\''
)


def test_behind_a_forced_command_the_original_one_is_answered(command: Command):
    said = command.run(SSH_ORIGINAL_COMMAND=BARE.format(me=ME))
    assert said.out.partition("\n")[2].startswith(LISTED)
    said = command.run(SSH_ORIGINAL_COMMAND=WRAPPED.format(me=ME))
    assert said.out.startswith(f"X2GODATABEGIN:{MARK}\nAUTHID:")
    assert said.out.endswith(f"X2GODATAEND:{MARK}\n")
    assert LISTED in said.out


@pytest.mark.parametrize(
    "line", [WRAPPED.format(me="root2"), "bash", "", "x; id", WRAPPED + "; id"]
)
def test_behind_a_forced_command_all_else_is_refused(command: Command, line: str):
    assert command.run(SSH_ORIGINAL_COMMAND=line).refused()


def test_words_come_before_the_original_command(command: Command):
    said = command.run("--task", "testcon", SSH_ORIGINAL_COMMAND='echo "LOGIN OK"')
    assert said.out.startswith("Access granted\n")


@pytest.mark.parametrize("words", [(), ("x",), ("-c", "id"), ("--",)])
def test_who_does_not_speak_as_clients_do_is_told(command: Command, words: tuple[str, ...]):
    assert command.run(*words).refused()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "de_DE.ISO-8859-1"])
def test_words_are_utf_8_in_any_locale(command: Command, daemon: Daemon, locale: str):
    said = command.run("--task", "selectsession", "--sid", f"bür{locale}", LC_ALL=locale)
    assert said.status == 0
    said = command.run("--user", f"bür{locale}", "--task", "listsessions", LC_ALL=locale)
    assert said.refused()
    daemon.log.wait_for(f"asks for 'bür{locale}'")


def test_bytes_that_are_no_text_are_refused(command: Command):
    assert command.run("--sid", b"\xff").refused() == "The request could not be understood.\n"
    assert command.run("--sid", "x" * 100_000).refused()
