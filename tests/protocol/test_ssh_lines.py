"""Whatever arrives by SSH: it runs nothing, it is answered or ended, and nothing breaks."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from daemon import DEADLINE_SECONDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sshclients import LIST, PROBE, UUID, Door, door, run, somewhere, wrapped

from usher.frontends.strangers import MOST_OF_A_SOURCE

PROOF = "proof-that-something-ran"
TOUCH = f"touch {PROOF}"
SCRAPS = [
    *("--task", "listsessions", "selectsession", "testcon", "--sid", "desktop", "--user", "alice"),
    *(
        "--authid",
        "--newpass",
        "'",
        '"',
        ";",
        "|",
        "&",
        "$(",
        ")",
        "`",
        "\\",
        "\n",
        "\r",
        "\0",
        " ",
    ),
    *("bash -l -c '", f'echo "X2GODATABEGIN:{UUID}";', f'echo "X2GODATAEND:{UUID}";\'', "export "),
    *(
        PROBE,
        LIST,
        "/usr/bin/x2gobroker ",
        f"touch {PROOF}",
        f"$(touch {PROOF})",
        f";touch {PROOF};",
    ),
]
scraps = st.lists(st.sampled_from(SCRAPS) | st.text(max_size=6), max_size=15).map(" ".join)
lines = scraps | scraps.map(wrapped) | st.builds(wrapped, scraps.map("x {}".format), scraps)
raw = lines.map(lambda line: line.encode("utf-8", "surrogatepass")) | st.binary(max_size=300)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with door(tmp_path_factory.mktemp("lines")) as made:
        yield made
        assert not re.search("incident|ncaught|Traceback", made.daemon.log.text())


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def connection(at: Door, loop: asyncio.Runner) -> Iterator[asyncssh.SSHClientConnection]:
    """One that is kept over all that is sent."""
    login = at.login()
    yield loop.run(login.__aenter__())
    loop.run(login.__aexit__(None, None, None))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(line=raw, terminal=st.booleans())
def test_any_line_is_answered_or_refused(
    at: Door,
    loop: asyncio.Runner,
    connection: asyncssh.SSHClientConnection,
    line: bytes,
    terminal: bool,
):
    done = loop.run(_said(connection, line, request_pty="force" if terminal else False))
    if done is not None:
        assert (done.stdout == "") != (done.stderr == "")
        assert len(done.stderr.splitlines()) <= 1
        assert "Traceback" not in done.stderr
    assert not [path for path in _written(at.daemon.folder) if PROOF in path.name]


async def _said(connection: asyncssh.SSHClientConnection, line: bytes, **options: Any) -> Any:
    """What came of it; None where it was no text, which the server may not even look at."""
    try:
        return await run(connection, line, **options)
    except asyncssh.ChannelOpenError:
        with pytest.raises(UnicodeDecodeError):
            line.decode()
        return None


def _written(folder: Path) -> list[Path]:
    return [*folder.rglob("*"), *Path(os.curdir).iterdir()]


VERSIONS = [b"SSH-2.0-x\r\n", b"SSH-1.99-x\n", b"SSH-2.0-" + b"x" * 300 + b"\r\n", b"GET /\r\n"]
KEXINIT, USERAUTH, CHANNEL = 20, 50, 90
packets = st.builds(
    lambda kind, body, padding: (
        struct.pack(">IBB", len(body) + 2 + padding, padding, kind) + body + bytes(padding)
    ),
    st.sampled_from([1, 2, 5, KEXINIT, 21, 30, USERAUTH, 61, CHANNEL]) | st.integers(0, 255),
    st.binary(max_size=100) | st.just(b"\0\0\0\4none" * 12),
    st.integers(0, 255),
)
streams = st.builds(
    lambda version, rest: version + b"".join(rest),
    st.sampled_from(VERSIONS) | st.binary(max_size=300),
    st.lists(packets | st.binary(max_size=100), max_size=4),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(sent=streams)
def test_any_bytes_are_ended(at: Door, sent: bytes):
    where = ("127.0.0.1", at.port)
    with socket.create_connection(where, DEADLINE_SECONDS) as raw, suppress(ConnectionError):
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: raw.recv(100_000), b""))
        assert said == b"" or said.startswith(b"SSH-2.0-Usher\r\n")


def test_a_crowd_without_a_login_is_turned_away_and_breaks_nothing(at: Door):
    place = (("127.0.0.1", at.port), DEADLINE_SECONDS, (somewhere(), 0))
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(socket.create_connection(*place))
            for _ in range(MOST_OF_A_SOURCE + 20)
        ]
        greeted = 0
        for connection in crowd:
            with suppress(ConnectionError):
                greeted += connection.recv(4) == b"SSH-"
        assert greeted == MOST_OF_A_SOURCE
    at.daemon.log.wait_for("no room for another connection from")
