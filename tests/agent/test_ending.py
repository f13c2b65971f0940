"""Sessions are suspended and terminated as their owners, and no others."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from typing import Any

import pytest
from agentbox import ALICE, HOST, SQLITE, Dialogue, Sandbox

Start = Callable[..., Dialogue]

OWNER = pwd.getpwnam("daemon")
OWNED = SQLITE.replace("alice", "daemon")
OWNED_ID = ALICE["id"].replace("alice", "daemon")


@pytest.mark.parametrize("verb", ["suspend", "terminate"])
@pytest.mark.usefixtures("as_root")
def test_a_session_is_ended_as_its_owner(sandbox: Sandbox, start: Start, verb: str) -> None:
    sandbox.session(OWNED, "RUNNING")
    broker = start()
    broker.event("sessions")
    assert broker.ask(verb=verb, session=OWNED_ID)["ok"]
    assert sandbox.calls.read_text() == f"{OWNER.pw_uid} {OWNER.pw_dir} {OWNED_ID}\n"


@pytest.mark.usefixtures("as_root")
def test_load_and_answers_go_on_while_a_session_is_suspended(
    sandbox: Sandbox, start: Start
) -> None:
    gate = sandbox.folder / "gate"
    os.mkfifo(gate, 0o644)
    sandbox.tool.write_text(f"#!/bin/sh\nread line < '{gate}'\n")
    sandbox.settings["LOAD_SECONDS"] = 0.2
    sandbox.session(OWNED, "RUNNING")
    broker = start()
    broker.event("sessions")
    broker.write(json.dumps({"id": 99, "verb": "suspend", "session": OWNED_ID}).encode())
    for _ in range(3):
        broker.event("load")
        assert broker.ask(verb="ping")["ok"]
    opened = os.open(gate, os.O_RDWR)  # for reading, too: it must not wait for the tool
    os.write(opened, b"go\n")
    assert broker.hear(lambda message: message.get("id") == 99)["ok"]
    os.close(opened)


@pytest.mark.parametrize(
    ("script", "why"),
    [("exit 3", "ended with 3"), ("exec sleep 100", "ended with -9")],
    ids=["fails", "hangs"],
)
@pytest.mark.usefixtures("as_root")
def test_a_tool_that_fails_or_hangs_is_told(
    sandbox: Sandbox, start: Start, script: str, why: str
) -> None:
    sandbox.tool.write_text(f"#!/bin/sh\n{script}\n")
    sandbox.settings["TOOL_SECONDS"] = 3
    sandbox.session(OWNED, "RUNNING")
    agent = start("Root")
    agent.event("sessions")
    answer = agent.ask(verb="suspend", session=OWNED_ID)
    assert not answer["ok"]
    assert why in answer["error"]


@pytest.mark.parametrize("state", ["", "STARTING", "RESUMING"])
def test_a_session_that_is_still_beginning_is_not_suspended(
    sandbox: Sandbox, start: Start, state: str
) -> None:
    sandbox.session(OWNED, state)
    agent = start("Root")
    agent.event("sessions")
    answer = agent.ask(verb="suspend", session=OWNED_ID)
    assert answer["error"] == "The session is still beginning."
    assert not sandbox.calls.read_text()


def test_a_missing_tool_is_told(sandbox: Sandbox, start: Start) -> None:
    sandbox.settings["TOOLS"] = {"suspend": "/nonexistent/x2gosuspend-session"}
    sandbox.session(OWNED, "RUNNING")
    agent = start("Root")
    agent.event("sessions")
    assert "nonexistent" in agent.ask(verb="suspend", session=OWNED_ID)["error"]


def test_only_a_session_of_this_host_is_touched(sandbox: Sandbox, start: Start) -> None:
    sandbox.session(OWNED.replace(f"|{HOST}|", "|elsewhere|"))
    agent = start("Root")
    agent.event("sessions")
    answer = agent.ask(verb="terminate", session=OWNED_ID)
    assert answer["error"] == "There is no such session here."
    assert not sandbox.calls.read_text()


@pytest.mark.parametrize(
    ("owner", "rules"),
    [("root", ""), ("daemon", "deny_users = daemon"), ("daemon", "verbs = authorize withdraw")],
)
def test_the_owner_and_the_verb_have_to_be_permitted(
    sandbox: Sandbox, start: Start, owner: str, rules: str
) -> None:
    sandbox.rules(rules)
    sandbox.session(OWNED.replace("daemon", owner), "RUNNING")
    agent = start("Root")
    agent.event("sessions")
    request: dict[str, Any] = {"verb": "suspend", "session": OWNED_ID.replace("daemon", owner)}
    assert not agent.ask(**request)["ok"]
    assert not sandbox.calls.read_text()
