"""A farm of servers, as its administrator and its users see it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agentserver import AgentServer, Process, agent_server
from daemon import DEADLINE_SECONDS, Daemon, running, usher, write_config

PROFILES = """\
[desktop]
name = Desktop
host = ts1, ts2

[hidden]
host = ts3
acl-users-allow = nobody
"""
SIMULATED = {"type": "simulated"}
SESSION = (
    '{"id":"alice-50-1795414336_stDXFCE_dp24","user":"alice","server":"x","state":"S",'
    '"display":50,"agent_pid":402,"client":"203.0.113.7","cookie":"a801225b","graphics_port":1,'
    '"sound_port":2,"fs_port":3,"started":"2026-11-23T06:12:16","last":"2026-11-23T06:12:18",'
    '"age":3}'
)
TOLD = (
    '{"event":"hello","protocol":1,"version":"0.9","host":"x","privileged":true,"why":""}\n'
    '{"event":"load","load":[0.5,0,0],"cores":2,"memory_mb":100,"available_mb":25}\n'
    f'{{"event":"sessions","sessions":[{SESSION}]}}\n'
)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Daemon]:
    with running(tmp_path, profiles=PROFILES, agent=SIMULATED) as daemon:
        until(lambda: "ts3" in daemon.usher("hosts").stdout)
        yield daemon


def until(true: Callable[[], object]) -> None:
    """Ask again and again; every question is a process of its own."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < end, "it has not come to pass"


def selected(daemon: Daemon) -> str:
    form = {"user": "alice", "password": "wonder", "task": "selectsession", "sid": "desktop"}
    return daemon.post(**form).text


def test_every_server_is_shown_with_what_is_known_of_it(farm: Daemon):
    head, *rows = farm.usher("hosts").stdout.splitlines()
    assert re.split(r"\s{2,}", head)[:4] == ["server", "state", "since", "agent"]
    assert [row.split()[:2] for row in rows] == [["ts1", "up"], ["ts2", "up"], ["ts3", "up"]]


def test_a_drained_server_takes_nobody_even_after_a_restart(farm: Daemon):
    assert farm.usher("drain", "ts1").stdout == "ts1 takes no new sessions.\n"
    assert "ts1     drained" in farm.usher("hosts").stdout
    assert {selected(farm).splitlines()[2] for _ in range(4)} == {"SERVER:ts2:22"}
    farm.terminate()
    farm.process.wait(DEADLINE_SECONDS)
    with running(farm.folder, profiles=PROFILES, agent=SIMULATED) as again:
        assert selected(again).splitlines()[2] == "SERVER:ts2:22"
        assert again.usher("undrain", "ts1").stdout == "ts1 takes new sessions.\n"
        assert {selected(again).splitlines()[2] for _ in range(4)} == {
            "SERVER:ts1:22",
            "SERVER:ts2:22",
        }


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("drain", "No profile names ts9: there are ts1, ts2, ts3.\n"),
        ("undrain", "ts9 is not drained.\n"),
    ],
)
def test_a_server_that_nobody_knows_is_told_so(farm: Daemon, command: str, told: str):
    ended = farm.usher(command, "ts9")
    assert (ended.returncode, ended.stderr) == (1, told)


def test_a_placement_is_explained_server_by_server(farm: Daemon):
    farm.usher("drain", "ts1")
    said = farm.usher("why", "alice", "desktop").stdout.splitlines()
    assert said[1:3] == ["desktop: visible: no user or group list", "ts1: left out: it is drained"]
    assert re.match(r"ts2: [\d.]+: \d+ sessions, \d+ promised, load [\d.]+", said[3])
    assert "ts3" not in farm.usher("why", "alice", "hidden").stdout


def test_without_a_daemon_a_server_is_drained_for_the_next_one(tmp_path: Path):
    with running(tmp_path, profiles=PROFILES, agent=SIMULATED):
        pass
    config = str(tmp_path / "usher.toml")
    assert "from the next one" in usher("drain", "ts1", "-c", config).stdout
    assert "no daemon is running" in usher("hosts", "-c", config).stderr
    with running(tmp_path, profiles=PROFILES, agent=SIMULATED) as daemon:
        assert selected(daemon).splitlines()[2] == "SERVER:ts2:22"


async def say(process: Process) -> None:
    process.stdout.write(TOLD.encode())
    await process.stdin.read()


def a_farm_of(host: AgentServer) -> dict[str, object]:
    """A configuration with this server in it."""
    options = {name: str(value) for name, value in host.options.items()}
    return {
        "profiles": f"[desktop]\nhost = h1 (127.0.0.1:{host.server.port})\n",
        "agent": {"type": "usher"} | options,
    }


async def test_a_user_finds_their_session_by_way_of_our_agent(tmp_path: Path):
    def log_in(farm: dict[str, object]) -> tuple[str, str, str]:
        with running(tmp_path, **farm) as daemon:  # type: ignore[arg-type]
            until(lambda: "usher-agent 0.9" in daemon.usher("hosts").stdout)
            form = {"user": "alice", "password": "wonder", "task": "listsessions"}
            return (
                daemon.post(**form).text,
                selected(daemon),
                daemon.post(user="bob", password="builder", task="listsessions").text,
            )

    async with agent_server(tmp_path, say) as host:
        listed, told, other = await asyncio.to_thread(log_in, a_farm_of(host))
    assert "status=S\n" in listed
    assert "status" not in other
    _, _, server, session = told.splitlines()
    assert server == f"SERVER:127.0.0.1:{host.server.port}"
    assert session == (
        "SESSION_INFO:402|alice-50-1795414336_stDXFCE_dp24|50|127.0.0.1|S|2026-11-23T06:12:16"
        "|a801225b|203.0.113.7|1|2|2026-11-23T06:12:18|alice|3|3|alice"
    )


async def test_a_host_key_is_shown_and_added_when_the_administrator_says_so(tmp_path: Path):
    async with agent_server(tmp_path, say) as host:
        config = write_config(tmp_path, **a_farm_of(host))  # type: ignore[arg-type]
        right = (tmp_path / "known_hosts").read_text()
        (tmp_path / "known_hosts").write_text("h1 old\n" + right.replace("AAAA", "AAAB"))
        command = [sys.executable, "-m", "usher.cli", "hosts", "trust", "h1", "-c", str(config)]

        async def answer(typed: str) -> tuple[int, str]:
            done = await asyncio.to_thread(
                subprocess.run, command, input=typed, capture_output=True, text=True, timeout=20
            )
            return done.returncode, done.stdout

        status, said = await answer("n\n")
        assert (status, "SHA256:" in said) == (1, True)
        assert right not in (tmp_path / "known_hosts").read_text()
        assert (await answer(""))[0] == 1
        assert (await answer("y\n"))[0] == 0
        assert [
            line.split()[:3] for line in (tmp_path / "known_hosts").read_text().splitlines()
        ] == [
            ["h1", "old"],
            right.split()[:3],
        ]


async def test_in_a_mixed_farm_each_server_has_the_agent_that_answers_there(tmp_path: Path):
    async with agent_server(tmp_path, say) as host:
        farm = a_farm_of(host)
        ours = farm.pop("agent")
        theirs = {**host.options, "type": "ssh"}
        farm["agent"] = {"type": "mixed", "preferred": ours, "fallback": theirs}

        def see() -> None:
            with running(tmp_path, **farm) as daemon:
                until(lambda: "usher-agent 0.9" in daemon.usher("hosts").stdout)

        await asyncio.to_thread(see)
        (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA us\n")
        config = str(write_config(tmp_path, **farm))
        printed = await asyncio.to_thread(usher, "hosts", "install", "h1", "-c", config)
    assert "ssh-ed25519 AAAA" in printed.stdout


async def test_what_a_server_needs_is_a_script_that_a_shell_can_read(tmp_path: Path):
    async with agent_server(tmp_path, say) as host:
        config = str(write_config(tmp_path, **a_farm_of(host)))  # type: ignore[arg-type]
        missing = await asyncio.to_thread(usher, "hosts", "install", "h1", "-c", config)
        assert "ssh-keygen -t ed25519" in missing.stderr
        (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA us\n")
        printed = await asyncio.to_thread(usher, "hosts", "install", "h1", "-c", config)
    script = tmp_path / "script"
    script.write_text(printed.stdout)
    read = await asyncio.to_thread(subprocess.run, ["sh", "-n", str(script)], check=False)
    assert read.returncode == 0
    assert '\nrestrict,command="/usr/lib/usher/usher-agent" ssh-ed25519 AAAA\n' in printed.stdout
    assert "NOPASSWD: /usr/lib/usher/usher-agent" in printed.stdout


def test_the_script_is_run_at_the_server_whose_key_is_trusted(tmp_path: Path, monkeypatch):
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/script\nexit 7\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=os.pathsep)
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA us\n")
    agent = {"type": "usher", "key": "id", "known_hosts": "known"}
    config = write_config(tmp_path, profiles="[a]\nhost = h1 (192.0.2.1:2222)\n", agent=agent)
    ended = usher("hosts", "install", "h1", "--apply", "-c", str(config))
    assert ended.returncode == 7
    words = (tmp_path / "words").read_text()
    assert f"-p 2222 -o UserKnownHostsFile=~/.ssh/known_hosts {tmp_path}/known " in words
    assert "-o HostKeyAlias=[h1]:2222 root@192.0.2.1 sh -s" in words
    assert "ssh-ed25519 AAAA" in (tmp_path / "script").read_text()


def test_an_agent_that_logs_in_nowhere_trusts_nobody(tmp_path: Path):
    config = str(write_config(tmp_path, profiles=PROFILES, agent=SIMULATED))
    ended = usher("hosts", "trust", "ts1", "-c", config)
    assert ended.returncode == 2
    assert (
        "agent.type: simulated logs in to no server: choose 'usher', 'ssh' or 'mixed'"
        in ended.stderr
    )
