"""What a real sshd makes of the keys, and sudo of its file."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from agentbox import SOURCE, USER, Dialogue, Sandbox, public, wish

Start = Callable[..., Dialogue]


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
    assert "/run/usher-agent/keys/%u" in told
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
