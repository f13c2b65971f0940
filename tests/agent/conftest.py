"""The agent for X2Go Servers, in a sandbox."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pytest
from agentbox import Dialogue, Sandbox, loaded


@pytest.fixture(scope="session")
def agent() -> ModuleType:
    return loaded()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # a session's owner has to reach the tools
        yield Sandbox(folder)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key as the broker makes it: RSA, in PEM."""
    path = tmp_path_factory.mktemp("key") / "id_rsa"
    make = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-C", "one-time"]
    subprocess.run([*make, "-f", str(path)], check=True)
    return path


@pytest.fixture
def start(sandbox: Sandbox) -> Iterator[Callable[..., Dialogue]]:
    """Start an end of the agent; at the end of the test it is hung up on and must end quietly."""
    with ExitStack() as running:

        def begin(end: str = "Front") -> Dialogue:
            dialogue = Dialogue(sandbox.command(end))
            running.callback(lambda: quiet(dialogue.close()))
            return dialogue

        yield begin


def quiet(said: str) -> None:
    assert said == ""


@pytest.fixture
def as_root() -> None:
    """Skip, with words, what only root can do; never where ``CI=true`` counts on it."""
    if os.geteuid() != 0 and os.environ.get("CI") != "true":
        pytest.skip("not tested: what the agent does as root (these tests do not run as root)")
