"""A login without the password: the broker and the real agent, over both wires."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from agentbox import USER, Sandbox, lines
from agentserver import AgentServer, agent_server
from agentserver import running as agent_running
from daemon import DEADLINE_SECONDS, Daemon, running

PROFILES = """\
[desktop]
host = h1 (127.0.0.1:{port})
broker-session-autologin = true
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Sandbox(Path(name))


def select(folder: Path, host: AgentServer, path: str, **more: str) -> str:
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
            told = _ask(daemon, path, **more)
        return told


def _ask(daemon: Daemon, path: str, **more: str) -> str:
    form = {"user": USER, "password": "wonder", "task": "selectsession"}
    return daemon.post(path, **form, **more).text


async def test_x2goclient_gets_a_private_key_that_its_server_knows(
    tmp_path: Path, sandbox: Sandbox
):
    async with agent_server(tmp_path, agent_running(sandbox)) as host:
        told = await asyncio.to_thread(select, tmp_path, host, "/plain/", sid="desktop")
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
        told = await asyncio.to_thread(lambda: select(tmp_path, host, "/json/", **wish))
        assert json.loads(told)["selected_session"] == {
            "server": "127.0.0.1",
            "port": host.server.port,
            "authentication_pubkey": "ACCEPTED",
        }
        (line,) = lines(sandbox)
        assert line.endswith(" ".join(key.split()[:2]))
