"""One-time keys with Debian's x2gobroker-agent, which writes them for a real sshd."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agentserver import EXISTING, AgentServer, Process, agent_server
from daemon import DEADLINE_SECONDS
from e2e.machine import Account, become
from fakes import FakeStore

from usher.agents import ssh
from usher.agents.ssh import Ssh
from usher.errors import Unavailable
from usher.model import Grant, client_at

NEEDS = ("openssh-client", "openssh-server", "sudo", "x2gobroker-agent", "x2goserver")

HERE = client_at("127.0.0.1").address
FILE = "%h/.ssh/authorized_keys"
OTHERS = "restrict,pty ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ usher\nssh-ed25519 AAAAC3Nz mine\n"


async def _run(process: Process, *command: str, **environment: str) -> None:
    """What sshd would do for the account that the agent is called by."""
    pipe = asyncio.subprocess.PIPE
    agent = await asyncio.create_subprocess_exec(
        *become("x2gobroker"),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        env={"PATH": os.defpath, "HOME": "/var/lib/x2gobroker"} | environment,
        cwd="/",
    )
    said, noise = await agent.communicate()
    process.stderr.write(noise)
    process.stdout.write(said)


async def by_shell(process: Process) -> None:
    """The key is bound to nothing."""
    await _run(process, "sh", "-c", process.command or "")


async def forced(process: Process) -> None:
    """The key is bound to the agent, as x2gobroker-pubkeyauthorizer has it."""
    await _run(process, EXISTING, SSH_ORIGINAL_COMMAND=process.command or "")


@pytest.fixture(params=[by_shell, forced], ids=lambda way: way.__name__)
async def agent(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[AgentServer, Ssh]]:
    """The real agent, and the plugin that asks it."""
    monkeypatch.setattr(ssh, "ANSWER_SECONDS", DEADLINE_SECONDS)
    async with agent_server(tmp_path, request.param) as host:
        plugin = Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]
        yield host, plugin
        await plugin._connections.close()


@pytest.fixture
def authorized(account: Account) -> Path:
    """The account's file of keys, with some that are not ours to touch."""
    file = account.home / ".ssh" / "authorized_keys"
    subprocess.run([*become(account.name), "mkdir", "-p", "-m", "700", file.parent], check=True)
    file.write_text(OTHERS)
    os.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A one-time key of the kind that x2goclient takes."""
    command = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]
    subprocess.run([*command, "-f", tmp_path / "key"], check=True)
    return tmp_path / "key"


def grant(account: Account, key: Path) -> Grant:
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    return Grant(account.name, public, 60, HERE, file=FILE)


async def lets_in(account: Account, port: int, key: Path) -> bool:
    """Does the real sshd?"""
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    command = ["ssh", "-F", "none", "-i", str(key), "-p", str(port), "-o", "IdentitiesOnly=yes"]
    command += [word for option in options for word in ("-o", option)]
    done = await asyncio.create_subprocess_exec(
        *command, f"{account.name}@127.0.0.1", "true", stderr=asyncio.subprocess.DEVNULL
    )
    return not await done.wait()


async def test_a_key_lets_in_until_it_is_taken_away_and_no_other_is_touched(
    agent: tuple[AgentServer, Ssh], account: Account, ssh_port: int, authorized: Path, key: Path
):
    host, plugin = agent
    wanted = grant(account, key)
    assert not await lets_in(account, ssh_port, key)
    await plugin.authorize(host.server, wanted)
    assert await lets_in(account, ssh_port, key)
    await plugin.withdraw(host.server, wanted)
    assert not await lets_in(account, ssh_port, key)
    assert authorized.read_text() == OTHERS
    assert authorized.stat().st_uid == authorized.parent.stat().st_uid


async def test_what_the_agents_tools_cannot_do_is_no_key(
    agent: tuple[AgentServer, Ssh], account: Account, key: Path
):
    host, plugin = agent
    nowhere = Grant(account.name, grant(account, key).key, 60, HERE, file="/etc/%u/keys")
    with pytest.raises(Unavailable) as refused:
        await plugin.authorize(host.server, nowhere)
    assert "Permission denied" in refused.value.detail


async def test_root_has_no_key(agent: tuple[AgentServer, Ssh], account: Account, key: Path):
    host, plugin = agent
    with pytest.raises(Unavailable) as refused:
        await plugin.authorize(host.server, Grant("root", grant(account, key).key, 60, HERE))
    assert "system user" in refused.value.detail
