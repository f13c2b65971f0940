"""The agent for X2Go Servers, in a sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest
from agentbox import Dialogue, Sandbox, loaded


@pytest.fixture(scope="session")
def agent() -> ModuleType:
    return loaded()


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # a session's owner has to reach the tools
    return Sandbox(tmp_path)


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
