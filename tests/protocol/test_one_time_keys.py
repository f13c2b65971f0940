"""A login without the password: the broker and the real agent, over both wires and by SSH."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from agentbox import USER, Sandbox, lines
from agentserver import AgentServer, agent_server
from agentserver import running as agent_running
from daemon import DEADLINE_SECONDS, Daemon, running
from thin import installed

PROFILES = """\
[desktop]
host = h1 (127.0.0.1:{port})
broker-session-autologin = true
"""

needs_root = pytest.mark.skipif(
    os.getuid() != 0 and os.environ.get("CI") != "true",
    reason="only root can take other accounts' place",
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Sandbox(Path(name))


def select(folder: Path, host: AgentServer, ask: Callable[[Daemon], str]) -> str:
    """What a client is told once a key has been made ahead of need."""
    options = {name: str(value) for name, value in host.options.items()}
    with running(
        folder,
        profiles=PROFILES.format(port=host.server.port),
        agent={"type": "usher"} | options,
        authenticator={"type": "static", "users": {USER: "wonder"}},
        keys={"pool": 2},
    ) as daemon:
        end = time.monotonic() + DEADLINE_SECONDS
        told = ""
        while not ("KEY" in told or "ACCEPTED" in told):
            assert time.monotonic() < end, told
            told = ask(daemon)
        return told


def by_http(path: str, **more: str) -> Callable[[Daemon], str]:
    form = {"user": USER, "password": "wonder", "task": "selectsession"}
    return lambda daemon: daemon.post(path, **form, **more).text


def by_ssh(daemon: Daemon) -> str:
    command = installed(daemon.folder, daemon.socket_path)
    return command.run("--task", "selectsession", "--sid", "desktop", account=USER).out


@pytest.mark.parametrize(
    "ask", [by_http("/plain/", sid="desktop"), pytest.param(by_ssh, marks=needs_root)]
)
async def test_x2goclient_gets_a_private_key_that_its_server_knows(
    tmp_path: Path, sandbox: Sandbox, ask: Callable[[Daemon], str]
):
    broker = sandbox.folder / "broker"
    broker.mkdir()
    async with agent_server(tmp_path, agent_running(sandbox)) as host:
        told = await asyncio.to_thread(select, broker, host, ask)
        _, _, server, begin, *_, end = told.splitlines()
        assert server == f"SERVER:!127.0.0.1:{host.server.port}"
        assert (begin, end) == (
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----END RSA PRIVATE KEY-----",
        )
        (line, *_) = lines(sandbox)
        here = 'permitopen="localhost:*",permitopen="127.0.0.1:*"'
        options = f'restrict,port-forwarding,{here},from="127.0.0.1",expiry-time='
        assert line.startswith(options)


async def test_python_x2go_is_told_that_its_own_key_is_accepted(tmp_path: Path, sandbox: Sandbox):
    async with agent_server(tmp_path, agent_running(sandbox)) as host:
        key = (tmp_path / "authorized").read_text().strip()
        pubkey = f"no-X11-forwarding,no-pty,no-user-rc {key} somebody@127.0.0.1"
        wish = {"profile-id": "desktop", "pubkey": pubkey}
        told = await asyncio.to_thread(select, tmp_path, host, by_http("/json/", **wish))
        assert json.loads(told)["selected_session"] == {
            "server": "127.0.0.1",
            "port": host.server.port,
            "authentication_pubkey": "ACCEPTED",
        }
        (line,) = lines(sandbox)
        assert line.endswith(" ".join(key.split()[:2]))
