"""One-time keys: who gets one, the line that is written, and what sshd makes of it."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from agentbox import USER, Dialogue, Sandbox, lines, public, wish

Start = Callable[..., Dialogue]

HERE = 'permitopen="localhost:*",permitopen="127.0.0.1:*"'
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + "%d"


def numbered(number: int) -> str:
    return OTHER % number


def expected(agent: ModuleType, moment: float) -> set[str]:
    """The stamps that a key of sixty seconds may have got just now."""
    return {agent.stamp(moment + 60 - ago) for ago in range(10)}


@pytest.mark.parametrize(
    ("wished", "before", "after"),
    [
        ({}, f'restrict,port-forwarding,{HERE},from="127.0.0.1"', ""),
        ({"from": None}, f"restrict,port-forwarding,{HERE}", ""),
        (
            {"from": "2001:DB8::1", "permitopen": "ts1:22,[2001:db8::2]:2222", "pty": True},
            'restrict,port-forwarding,permitopen="ts1:22",permitopen="[2001:db8::2]:2222",'
            'from="2001:db8::1"',
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
