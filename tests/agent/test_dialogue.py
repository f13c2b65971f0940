"""Both ends of the agent as processes of their own, and what goes between them and the broker."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from agentbox import ALICE, HOST, POSTGRESQL, SQLITE, Dialogue, Sandbox

Start = Callable[..., Dialogue]


def test_it_greets_reports_load_and_lists_the_sessions(sandbox: Sandbox, start: Start) -> None:
    sandbox.session(SQLITE)
    broker = start()
    assert broker.event("hello") == {
        "event": "hello",
        "agent": "usher",
        "protocol": 1,
        "version": "0.1.0",
        "host": HOST,
        "database": "sqlite",
        "privileged": True,
        "why": "",
    }
    load = broker.event("load")
    assert set(load) == {"event", "load", "cores", "mhz", "memory_mb", "available_mb"}
    assert len(load["load"]) == 3
    assert 0 < load["available_mb"] < load["memory_mb"]
    assert load["cores"] >= 1
    assert broker.event("sessions") == {"event": "sessions", "sessions": [ALICE]}


@pytest.mark.parametrize(
    ("frequency", "cpuinfo", "mhz"),
    [
        ("3600000\n", "cpu MHz\t\t: 800.1\n", 3600),
        (None, "processor\t: 0\ncpu MHz\t\t: 800.128\ncpu MHz\t\t: 2596.1\n", 2596),
        ("<unknown>\n", "cpu MHz\t\t: 800.128\n", 800),
        (None, "processor\t: 0\nBogoMIPS\t: 108.00\n", 0),
        (None, None, 0),
    ],
)
def test_the_clock_is_what_the_system_tells_of_its_best(
    agent: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    frequency: str | None,
    cpuinfo: str | None,
    mhz: int,
) -> None:
    for name, text in (("FREQUENCY", frequency), ("CPUINFO", cpuinfo)):
        monkeypatch.setattr(agent, name, str(tmp_path / name))
        if text is not None:
            (tmp_path / name).write_text(text)
    assert agent.clock() == mhz


def test_the_greeting_comes_first(start: Start) -> None:
    assert start().hear(lambda message: True)["event"] == "hello"


@pytest.mark.parametrize(
    ("sudo", "why"),
    [
        (["/nonexistent/sudo"], "sudo: No such file or directory"),
        (["/bin/sh", "-c", "echo 'sudo: a password is required' >&2; exit 1"], "sudo: a password"),
        (["/bin/true"], "sudo does not answer"),
        (["/bin/sh", "-c", "exec cat > /dev/null"], "sudo does not answer"),
    ],
    ids=["missing", "refused", "silent", "hanging"],
)
def test_without_sudo_it_says_so_and_still_reports_load(
    sandbox: Sandbox, start: Start, sudo: list[str], why: str
) -> None:
    sandbox.settings |= {"SUDO": sudo, "SUDO_SECONDS": 0.5}
    broker = start()
    hello = broker.event("hello")
    assert hello["privileged"] is False
    assert why in hello["why"]
    assert broker.event("load")["cores"] >= 1
    assert broker.ask(verb="ping")["ok"]
    refused = broker.ask(verb="suspend", session=ALICE["id"])
    assert not refused["ok"]
    assert "no rights" in refused["error"]


@pytest.mark.parametrize("end", ["Front", "Root"])
def test_both_ends_refuse_what_is_no_request_and_go_on(
    sandbox: Sandbox, start: Start, end: str
) -> None:
    agent = start(end)
    for line in (b"", b"{", b"\0\xff" * 9, b"[" * 60_000, b'{"verb": "ping"}', b"x" * 300_000):
        agent.write(line)
        assert not agent.said_without_id()["ok"]
    assert not agent.ask(verb="reboot")["ok"]
    assert not agent.ask(verb="suspend", session="a;reboot")["ok"]
    assert agent.ask(verb="ping") == {"id": 3, "ok": True}
    log = sandbox.log.read_text().splitlines()
    assert len([line for line in log if line.startswith("refused: ")]) == 8
    assert not sandbox.keys.exists()
    assert not sandbox.calls.read_text()


def test_a_line_as_long_as_may_be_is_still_read(start: Start) -> None:
    agent = start("Root")
    request = b'{"id": 7, "verb": "ping"}'
    agent.write(request + b" " * (64 * 1024 - len(request)))
    assert agent.hear(lambda message: message.get("id") == 7)["ok"]
    agent.write(request + b" " * (64 * 1024 - len(request) + 1))
    assert agent.said_without_id()["error"] == "The line is too long."


def test_requests_sent_before_hanging_up_are_answered(sandbox: Sandbox) -> None:
    agent = Dialogue(sandbox.command("Front"))
    for number in range(50):
        agent.write(b'{"id": %d, "verb": "ping"}' % number)
    agent.hang_up()
    assert agent.hear(lambda message: message.get("id") == 49)["ok"]
    assert agent.close() == ""


def test_when_root_dies_the_front_hangs_up(sandbox: Sandbox) -> None:
    pid = sandbox.folder / "pid"
    root = " ".join(f"'{word}'" for word in sandbox.command("Root"))
    sandbox.settings["SUDO"] = ["/bin/sh", "-c", f"echo $$ > '{pid}'; exec {root}"]
    agent = Dialogue(sandbox.command("Front"))
    agent.event("sessions")
    os.kill(int(pid.read_text()), 9)
    assert agent.close() == ""


def test_a_broker_that_reads_nothing_and_asks_much_gets_all_its_answers(
    sandbox: Sandbox, start: Start
) -> None:
    for display in range(900):
        sandbox.session(SQLITE.replace("-50-", f"-{display}-"))
    broker = start()
    for number in range(3000):
        broker.write(b'{"id": %d, "verb": "ping"}' % number)
    assert broker.hear(lambda message: message.get("id") == 2999)["ok"]


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


def test_a_change_is_told_within_two_seconds(sandbox: Sandbox, start: Start) -> None:
    agent = start("Root")
    assert agent.event("sessions")["sessions"] == []
    began = time.monotonic()
    sandbox.session(SQLITE)
    assert agent.event("sessions")["sessions"] == [ALICE]
    sandbox.session(POSTGRESQL, state="RUNNING")
    assert len(agent.event("sessions")["sessions"]) == 2
    sandbox.state(POSTGRESQL, "SUSPENDED")
    assert agent.event("sessions")["sessions"][1]["state"] == "S"
    assert time.monotonic() - began < 3 * 2


def test_a_database_that_cannot_be_watched_is_read_every_other_second(
    sandbox: Sandbox, start: Start
) -> None:
    (sandbox.folder / "sql").write_text("backend=postgres\n")
    sandbox.settings["LIST_SECONDS_ELSEWHERE"] = 1
    agent = start("Root")
    assert agent.event("hello")["database"] == "postgresql"
    agent.event("sessions")
    sandbox.listing.write_text(POSTGRESQL + "\n")
    assert agent.event("sessions")["sessions"] == [
        ALICE | {"id": "bob-50-1795414336_stRxterm_dp24", "user": "bob"}
    ]


@pytest.mark.parametrize(
    ("state", "database", "told"),
    [
        ("", "R", "R"),
        ("", "S", "S"),
        ("RUNNING", "R", "R"),
        ("RUNNING", "S", "R"),
        ("STARTING", "R", "R"),
        ("RESUMING", "S", "R"),
        ("SUSPENDING", "S", "R"),
        ("SUSPENDED", "R", "S"),
        ("TERMINATING", "R", None),
        ("TERMINATED", "S", None),
        ("nonsense", "S", "S"),
        ("", "F", None),
        ("RUNNING", "F", None),
    ],
)
def test_the_session_itself_is_believed_before_the_database(
    sandbox: Sandbox, start: Start, state: str, database: str, told: str | None
) -> None:
    sandbox.session(SQLITE.replace("|R|", f"|{database}|"), state=state)
    sessions = start("Root").event("sessions")["sessions"]
    assert [found["state"] for found in sessions] == ([told] if told else [])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        SQLITE + "|",
        SQLITE.replace(f"|{HOST}|", "|elsewhere|"),
        SQLITE.replace("alice-50", "alice;50"),
        SQLITE.replace("|alice|", "|../alice|"),
        SQLITE.replace("|10.91.0.3|", "|$(id)|"),
        f"|alice-50-1795414336_stRxterm_dp24|50|{HOST}|R|2026-11-23T06:12:16"
        "||||2026-11-23T06:12:18|alice|3||",
    ],
    ids=["empty", "nonsense", "15", "elsewhere", "id", "user", "client", "being started"],
)
def test_a_line_that_is_no_session_of_this_host_is_left_out(
    sandbox: Sandbox, start: Start, line: str
) -> None:
    sandbox.listing.write_text(f"{line}\n{SQLITE}\n")
    assert start("Root").event("sessions")["sessions"] == [ALICE]


def listed_again(sandbox: Sandbox, agent: Dialogue, times: int) -> None:
    """Wait until the sessions have been listed so often from now on."""
    wanted, deadline = sandbox.lists() + times, time.monotonic() + 20
    while sandbox.lists() < wanted:
        assert agent.ask(verb="ping")["ok"]
        assert time.monotonic() < deadline


def test_a_listing_that_fails_changes_nothing_is_tried_again_and_logged_once(
    sandbox: Sandbox, start: Start
) -> None:
    sandbox.session(SQLITE)
    agent = start("Root")
    assert agent.event("sessions")["sessions"] == [ALICE]
    good = sandbox.lister.read_text()
    bad = good.splitlines()[1].partition(";")[0]
    sandbox.lister.write_text(f"#!/bin/sh\n{bad}\necho 'DBD::SQLite: no such table' >&2\n")
    sandbox.session(POSTGRESQL)
    listed_again(sandbox, agent, 3)
    sandbox.lister.write_text(good)
    assert len(agent.event("sessions")["sessions"]) == 2
    assert sandbox.log.read_text().count("no such table") == 1


def test_that_sessions_grow_older_is_no_news(sandbox: Sandbox, start: Start) -> None:
    sandbox.session(SQLITE)
    agent = start("Root")
    assert agent.event("sessions")["sessions"] == [ALICE]
    sandbox.replace_list(SQLITE.replace("|3|", "|4711|") + "\n")
    sandbox.changed()
    listed_again(sandbox, agent, 1)
    sandbox.session(POSTGRESQL)
    agent.hear(lambda message: len(message.get("sessions", ())) == 2)
    assert [message["event"] for message in agent.heard if "id" not in message] == [
        "hello",
        "sessions",
        "sessions",
    ]


@pytest.mark.parametrize("link", [".x2go-alice", "C-alice-50-1795414336_stRxterm_dp24", "state"])
def test_no_link_of_a_users_leads_root_elsewhere(sandbox: Sandbox, start: Start, link: str) -> None:
    sandbox.session(SQLITE, state="SUSPENDED")
    place = next(sandbox.temporary.rglob(link))
    place.rename(sandbox.folder / "elsewhere")
    place.symlink_to(sandbox.folder / "elsewhere")
    assert start("Root").event("sessions")["sessions"][0]["state"] == "R"


def test_a_pipe_where_a_state_should_be_stops_nobody(sandbox: Sandbox, start: Start) -> None:
    sandbox.session(SQLITE, state="SUSPENDED")
    state = next(sandbox.temporary.rglob("state"))
    state.unlink()
    os.mkfifo(state)
    assert start("Root").event("sessions")["sessions"][0]["state"] == "R"
