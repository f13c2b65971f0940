"""One-time keys: who gets one, the line that is written, and what sshd makes of it."""

from __future__ import annotations

import calendar
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from agentbox import SOURCE, Dialogue, Sandbox

Start = Callable[..., Dialogue]

USER = "daemon"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + "%d"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key as the broker makes it: RSA, in PEM."""
    path = tmp_path_factory.mktemp("key") / "id_rsa"
    make = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-C", "one-time"]
    subprocess.run([*make, "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text().strip()


def wish(key: str, **other: object) -> dict[str, Any]:
    return {
        "verb": "authorize",
        "user": USER,
        "key": key,
        "seconds": 60,
        "from": "127.0.0.1",
        "permitopen": "localhost:*",
        "pty": False,
    } | other


def lines(sandbox: Sandbox) -> list[str]:
    return (sandbox.keys / USER).read_text().splitlines()


def numbered(number: int) -> str:
    return OTHER % number


def expected(agent: ModuleType, moment: float) -> set[str]:
    """The stamps that a key of sixty seconds may have got just now."""
    return {agent.stamp(moment + 60 - ago) for ago in range(10)}


@pytest.mark.parametrize(
    ("wished", "before", "after"),
    [
        ({}, 'restrict,port-forwarding,permitopen="localhost:*",from="127.0.0.1"', ""),
        ({"from": None}, 'restrict,port-forwarding,permitopen="localhost:*"', ""),
        (
            {"from": "2001:DB8::1", "permitopen": "ts1:22", "pty": True},
            'restrict,port-forwarding,permitopen="ts1:22",from="2001:db8::1"',
            ",pty",
        ),
    ],
    ids=["usual", "from anywhere", "behind a proxy"],
)
def test_the_line_is_the_agents_own(
    agent: ModuleType,
    sandbox: Sandbox,
    start: Start,
    key: Path,
    wished: dict[str, object],
    before: str,
    after: str,
) -> None:
    assert start().ask(**wish(public(key), **wished)) == {"id": 1, "ok": True}
    bare = " ".join(public(key).split()[:2])
    assert lines(sandbox)[0] in {
        f'{before},expiry-time="{stamp}"{after} {bare}' for stamp in expected(agent, time.time())
    }
    modes = [path.stat().st_mode & 0o777 for path in (sandbox.keys, sandbox.keys / USER)]
    assert modes == [0o755, 0o644]
    assert (sandbox.keys.parent / "lock").stat().st_mode & 0o077 == 0, "others could hold it"


def test_a_key_given_twice_is_there_once_with_its_new_time(
    sandbox: Sandbox, start: Start, key: Path
) -> None:
    agent = start("Root")
    agent.ask(**wish(public(key), seconds=60))
    first = lines(sandbox)
    agent.ask(**wish(public(key), seconds=600))
    assert len(lines(sandbox)) == 1
    assert lines(sandbox) != first


def test_at_most_five_keys_are_out_and_the_oldest_goes(sandbox: Sandbox, start: Start) -> None:
    agent = start("Root")
    for number in range(7):
        assert agent.ask(**wish(numbered(number)))["ok"]
    assert [line.split()[-1][-1] for line in lines(sandbox)] == list("23456")


def test_a_key_is_withdrawn_and_the_empty_file_goes(sandbox: Sandbox, start: Start) -> None:
    agent = start("Root")
    for number in (1, 2):
        agent.ask(**wish(numbered(number)))
    assert agent.ask(verb="withdraw", user=USER, key=numbered(1))["ok"]
    assert [line.split()[-1][-1] for line in lines(sandbox)] == ["2"]
    for _ in range(2):
        assert agent.ask(verb="withdraw", user=USER, key=numbered(2))["ok"]
        assert not (sandbox.keys / USER).exists()


def test_expired_keys_and_strange_lines_go_with_the_next_change(
    sandbox: Sandbox, start: Start
) -> None:
    agent = start("Root")
    agent.ask(**wish(numbered(1)))
    live = lines(sandbox)[0]
    old = live.replace('expiry-time="2', 'expiry-time="1').replace(numbered(1), numbered(2))
    (sandbox.keys / USER).write_text(f"{old}\nssh-rsa AAAA\n{live}\n")
    agent.ask(**wish(numbered(3)))
    assert [line.split()[-1][-1] for line in lines(sandbox)] == ["1", "3"]


def test_what_a_broker_left_behind_is_swept_when_the_next_one_comes(
    sandbox: Sandbox, start: Start
) -> None:
    agent = start("Root")
    agent.ask(**wish(numbered(1), seconds=100))
    sandbox.later = 50
    start("Root").event("sessions")
    assert len(lines(sandbox)) == 1
    sandbox.later = 101
    later = start("Root")
    later.event("sessions")
    later.ask(verb="ping")
    assert not (sandbox.keys / USER).exists()


@pytest.mark.parametrize(
    ("rules", "user", "why"),
    [
        ("", "root", "not helped"),
        ("", "nobody-of-that-name", "no such user"),
        ("deny_users = games, daemon", USER, "not helped"),
        ("allow_users = games", USER, "not helped"),
        ("allow_users =", USER, "not helped"),
        ("allow_groups = games", USER, "not helped"),
        ("allow_users = daemon\ndeny_groups = daemon", USER, "not helped"),
        ("allow_groups = no-such-group", USER, "group"),
        ("deny_groups = no-such-group", USER, "group"),
        ("verbs = suspend", USER, "verb"),
        ("verbs =", USER, "verb"),
        ("allow_user = daemon", USER, "not understood"),
        ("allow_users", USER, "not understood"),
        ("allow_users = daemon\nallow_users = daemon", USER, "not understood"),
        ("[more]\nallow_users = daemon", USER, "not understood"),
    ],
)
def test_who_is_left_out_gets_no_key(
    sandbox: Sandbox, start: Start, rules: str, user: str, why: str
) -> None:
    sandbox.rules(rules)
    answer = start("Root").ask(**wish(numbered(1), user=user))
    assert not answer["ok"]
    assert why in answer["error"]
    assert not sandbox.keys.exists()


@pytest.mark.parametrize(
    "rules",
    [
        "# nothing but words",
        "allow_users = games daemon  # and a word",
        "allow_groups = games, daemon",
        "allow_users = daemon\nallow_groups = games",
        "deny_users = games\ndeny_groups = games",
        "verbs = authorize",
    ],
)
def test_who_is_let_in_gets_one(sandbox: Sandbox, start: Start, rules: str) -> None:
    sandbox.rules(rules)
    assert start("Root").ask(**wish(numbered(1)))["ok"]


def test_a_configuration_that_is_not_understood_is_told_in_the_greeting(
    sandbox: Sandbox, start: Start
) -> None:
    sandbox.rules("allow everybody")
    hello = start().event("hello")
    assert hello["privileged"] is False
    assert "agent.conf is not understood" in hello["why"]


@pytest.mark.parametrize(
    ("defs", "ok"),
    [("UID_MIN\t\t\t1\n", True), ("UID_MIN 1000\n", False), ("# UID_MIN 1\n", False), ("", False)],
)
def test_system_accounts_are_refused(sandbox: Sandbox, start: Start, defs: str, ok: bool) -> None:
    (sandbox.folder / "login.defs").write_text(defs)
    assert start("Root").ask(**wish(numbered(1)))["ok"] is ok


@pytest.mark.parametrize("folder", ["usher", "usher/keys"])
def test_no_key_is_written_where_others_may_write(
    sandbox: Sandbox, start: Start, folder: str
) -> None:
    sandbox.keys.mkdir(parents=True)
    (sandbox.folder / folder).chmod(0o777)
    answer = start("Root").ask(**wish(numbered(1)))
    assert "root's alone" in answer["error"]
    assert not (sandbox.keys / USER).exists()


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("utc", "written"),
    [
        ((2026, 7, 1, 10, 0, 30), "20260701120030"),
        ((2026, 1, 1, 10, 0, 30), "20260101110030"),
        ((2026, 3, 29, 1, 0, 30), "20260329030030"),
        ((2026, 10, 25, 1, 30, 0), ("20261025023000", "20261025033000")),
    ],
    ids=["summer", "winter", "spring", "autumn"],
)
@pytest.mark.usefixtures("berlin")
def test_the_time_is_the_servers_own_and_never_too_early(
    agent: ModuleType, utc: tuple[int, ...], written: str | tuple[str, ...]
) -> None:
    moment = calendar.timegm((*utc, 0, 0, 0))
    assert agent.stamp(moment) in written
    assert agent.moment(agent.stamp(moment)) >= moment


# ── sshd ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sshd_program(as_root: None) -> str:
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None and os.environ.get("CI") != "true":
        pytest.skip("not tested: what sshd makes of the keys (openssh-server is not installed)")
    assert program
    return program


@contextmanager
def running_sshd(program: str, sandbox: Sandbox) -> Iterator[int]:
    """A real sshd on loopback that reads the agent's keys; its port."""
    host_key = sandbox.folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = sandbox.folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nUsePAM no\nStrictModes yes\n"
        f"AuthorizedKeysFile {sandbox.keys}/%u\nPasswordAuthentication no\nPidFile none\n"
    )
    command = [program, "-D", "-e", "-f", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr
            while b"listening" not in (line := process.stderr.readline()):
                assert line, "sshd did not start"
            yield port
        finally:
            process.terminate()


def logs_in(port: int, key: Path, *options: str) -> bool:
    """Does sshd let the key in? What it then runs is no business of this test's."""
    command = ["ssh", "-F", "none", "-p", str(port), "-i", str(key), "-o", "BatchMode=yes"]
    command += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    command += ["-v", "-o", "IdentitiesOnly=yes", *options, f"{USER}@127.0.0.1", "true"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr
    refused = "Permission denied" in said
    assert refused != ("Authenticated to 127.0.0.1" in said), said
    return not refused


@pytest.fixture
def strict(as_root: None) -> Iterator[Path]:
    """A folder that sshd trusts, as it trusts /run."""
    folder = Path("/run") / f"usher-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


def test_sshd_lets_a_key_in_for_its_time_from_its_address_and_for_its_user(
    sandbox: Sandbox, start: Start, key: Path, sshd_program: str, strict: Path
) -> None:
    sandbox.keys = strict / "usher" / "keys"
    sandbox.settings |= {"KEYS": str(sandbox.keys), "LOCK": str(strict / "usher" / "lock")}
    broker = start()
    with running_sshd(sshd_program, sandbox) as port:
        assert not logs_in(port, key), "nobody has asked yet"
        assert broker.ask(**wish(public(key)))["ok"]
        assert logs_in(port, key)
        assert broker.ask(**wish(public(key), **{"from": "192.0.2.1"}))["ok"]
        assert not logs_in(port, key), "another address"
        assert broker.ask(**wish(public(key), **{"from": None, "pty": True}))["ok"]
        assert logs_in(port, key, "-tt")
        expired = (sandbox.keys / USER).read_text().replace('expiry-time="2', 'expiry-time="1')
        (sandbox.keys / USER).write_text(expired)
        assert not logs_in(port, key), "its time is over"
        assert broker.ask(**wish(public(key)))["ok"]
        assert broker.ask(verb="withdraw", user=USER, key=public(key))["ok"]
        assert not logs_in(port, key), "withdrawn"


def test_sshd_and_sudo_understand_the_files_that_are_shipped(
    sandbox: Sandbox, sshd_program: str
) -> None:
    host_key = sandbox.folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)], check=True)
    snippet = SOURCE.parent / "sshd_config.d-usher-agent.conf"
    command = [sshd_program, "-T", "-h", str(host_key), "-f", str(snippet)]
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "/run/usher/keys/%u" in told
    visudo = shutil.which("visudo", path="/usr/sbin:/usr/bin")
    if visudo is None and os.environ.get("CI") != "true":
        pytest.skip("not tested: what sudo makes of its file (sudo is not installed)")
    assert visudo
    sudoers = SOURCE.parent / "sudoers.d-usher-agent"
    subprocess.run([visudo, "-c", "-q", "-f", str(sudoers)], check=True)


def test_the_shipped_files_name_what_the_agent_names(agent: ModuleType) -> None:
    folder = SOURCE.parent
    assert f'{agent.SUDO[-1]} ""\n' in (folder / "sudoers.d-usher-agent").read_text()
    assert f"{agent.KEYS}/%u" in (folder / "sshd_config.d-usher-agent.conf").read_text()
    assert f"d {agent.KEYS} 0755 root root" in (folder / "tmpfiles.d-usher-agent.conf").read_text()
    assert os.access(SOURCE, os.X_OK)
    assert pwd.getpwnam(USER).pw_uid < 1000, "the tests' own user is no person's"
