"""As many clients as a large site has, all connected at once."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from daemon import running

CONNECTIONS = 5000


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Every connection is an open file, here as well as in the daemon."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + 100:
        pytest.skip(f"this system allows {hard} open files: {CONNECTIONS} clients not tested")
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_five_thousand_connections_are_open_at_once_and_each_is_served(tmp_path: Path):
    request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(tmp_path) as daemon, ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(CONNECTIONS)]
        for _ in range(2):
            for client in clients:
                client.sendall(request)
            for client in clients:
                said = b""
                while not said.endswith(b"ok\n"):
                    more = client.recv(1000)
                    assert more, said
                    said += more
        assert daemon.post(user="alice", password="wonder").granted
