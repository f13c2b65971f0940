"""Whatever line arrives by SSH: it runs nothing, it is answered, and no traceback is written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sshclients import LIST, PROBE, UUID, Door, door, run, wrapped

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
        assert "incident" not in made.daemon.log.text()


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
