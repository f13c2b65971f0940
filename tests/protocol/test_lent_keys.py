"""One-time keys with the agent of existing farms: into the user's file, and out again."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from agentserver import AgentServer, agent_server, writing
from daemon import DEADLINE_SECONDS, Daemon, running
from fakes import FakeStore

from usher.agents import lent
from usher.agents.ssh import Ssh, key_line
from usher.errors import Unavailable
from usher.model import Grant, client_at
from usher.store.sqlite import Sqlite

KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDx/y+z=="
GRANT = Grant("alice", KEY, 60, client_at("192.0.2.7").address)
MINE = f'no-pty {KEY} usher\nfrom="192.0.2.7" {KEY}\nssh-ed25519 AAAAC3Nza alice@home\n'


@asynccontextmanager
async def existing(
    folder: Path, store: FakeStore | None = None
) -> AsyncIterator[tuple[AgentServer, Ssh, Path]]:
    """A server with an existing agent, the plugin that asks it, and the file of alice's keys."""
    async with agent_server(folder, writing(folder)) as host, asyncio.timeout(60):
        agent = Ssh(store=store or FakeStore(), **host.options)  # type: ignore[arg-type]
        yield host, agent, folder / "alice"
        await agent._connections.close()


async def test_a_key_is_written_as_strict_as_clients_bear_it(tmp_path: Path):
    async with existing(tmp_path) as (host, agent, file):
        await agent.authorize(host.server, GRANT)
    options = (
        'restrict,port-forwarding,permitopen="localhost:*",permitopen="127.0.0.1:*",'
        'from="192.0.2.7",expiry-time="X"'
    )
    assert re.sub(r"\d{14}", "X", file.read_text()) == f"{options} {KEY} usher\n"
    assert (tmp_path / "files").read_text() == "%h/.x2go/authorized_keys\n"


async def test_the_existing_agent_is_given_a_key_word_for_word_as_it_always_was(tmp_path: Path):
    async with existing(tmp_path) as (host, agent, _):
        await agent.authorize(host.server, GRANT)
        await agent.withdraw(host.server, GRANT)
    added, deleted = host.commands
    call = "sh -c '/usr/lib/x2go/x2gobroker-agent alice"
    assert added.startswith(
        rf'{call} addauthkey "restrict,port-forwarding,permitopen=\"localhost:*\"'
    )
    assert added.endswith(rf'\" {KEY} usher" "%h/.x2go/authorized_keys"' + "'")
    assert deleted == f'{call} delauthkey "restrict,.* {KEY} usher" "%h/.x2go/authorized_keys"\''


async def test_only_what_was_written_here_is_taken_away(tmp_path: Path):
    async with existing(tmp_path) as (host, agent, file):
        file.write_text(MINE)
        await agent.authorize(host.server, GRANT)
        assert file.read_text() != MINE
        await agent.withdraw(host.server, GRANT)
        assert file.read_text() == MINE
        await agent.withdraw(host.server, GRANT)


async def test_another_broker_takes_away_what_one_has_left_behind(tmp_path: Path):
    store = FakeStore()
    async with existing(tmp_path, store) as (host, agent, file):
        await agent.authorize(host.server, Grant("alice", KEY, 0))
        again = Ssh(store=store, **host.options)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(again.run())
            while await store.kept(lent.KIND):
                await asyncio.sleep(0.01)
            working.cancel()
        assert file.read_text() == ""


async def test_a_server_that_was_away_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lent, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(lent, "AGAIN_SECONDS", 0.01)
    async with existing(tmp_path) as (host, agent, file):
        await agent.authorize(host.server, Grant("alice", KEY, 0))
        (tmp_path / "is.broken").touch()
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(agent.run())
            while len(host.commands) < 3:
                await asyncio.sleep(0.01)
            assert KEY in file.read_text()
            (tmp_path / "is.broken").unlink()
            while file.read_text():
                await asyncio.sleep(0.01)
            working.cancel()


@pytest.mark.parametrize("misfortune", ["is.broken", "is.refused"])
async def test_a_key_that_was_not_written_is_refused_whatever_the_agent_calls_it(
    tmp_path: Path, misfortune: str
):
    async with existing(tmp_path) as (host, agent, file):
        (tmp_path / misfortune).touch()
        with pytest.raises(Unavailable) as refused:
            await agent.authorize(host.server, GRANT)
        assert not file.exists()
    assert "addauthkey on h1: " in refused.value.detail


@pytest.mark.parametrize(
    "grant",
    [
        Grant("alice;reboot", KEY, 60),
        Grant("alice", KEY + "$(reboot)", 60),
        Grant("alice", KEY + "`reboot`", 60),
        Grant("alice", KEY + "'", 60),
        Grant("alice", KEY + "\\", 60),
        Grant("alice", KEY + "\n" + KEY, 60),
        Grant("alice", KEY, 60, file="%h/'; reboot'"),
        Grant("alice", KEY, 60, permit_open='localhost:*",command="$HOME'),
    ],
)
async def test_what_would_mean_something_to_a_shell_never_reaches_one(tmp_path: Path, grant: Grant):
    async with existing(tmp_path) as (host, agent, _):
        with pytest.raises(Unavailable):
            await agent.authorize(host.server, grant)
    assert host.commands == []


PROFILES = """\
[desktop]
host = h1 (127.0.0.1:{port})
broker-session-autologin = true
"""


def select(daemon: Daemon) -> str:
    """What x2goclient is told once there is a key for it."""
    form = {"user": "alice", "password": "wonder", "task": "selectsession", "sid": "desktop"}
    end = time.monotonic() + DEADLINE_SECONDS
    while "PRIVATE KEY" not in (told := daemon.post("/plain/", **form).text):
        assert time.monotonic() < end, told
    return told


async def test_a_daemon_takes_away_what_the_one_before_has_left(tmp_path: Path):
    async with existing(tmp_path) as (host, _, file):
        tables = {
            "profiles": PROFILES.format(port=host.server.port),
            "agent": {"type": "ssh"} | {name: str(value) for name, value in host.options.items()},
            "authenticator": {"type": "static", "users": {"alice": "wonder"}},
            "keys": {"pool": 1},
        }
        with running(tmp_path, **tables) as daemon:
            told = await asyncio.to_thread(select, daemon)
        assert f"SERVER:!127.0.0.1:{host.server.port}\n" in told
        assert file.read_text().count(" usher\n") == 1
        store = Sqlite(path=tmp_path / "state")
        ((name, value),) = (await store.kept(lent.KIND)).items()
        assert "PRIVATE" not in value
        await store.keep(lent.KIND, name, re.sub(r'"until":[0-9.]+', '"until":0', value))
        with running(tmp_path, **tables):
            while file.read_text():
                await asyncio.sleep(0.05)


def test_a_key_that_nobody_takes_away_runs_out_within_a_day_or_so_in_any_time_zone():
    now = 1_795_000_000.0  # 2026-11-18T11:06:40Z
    assert 'expiry-time="20261119010740" ' in key_line(GRANT, now)
