"""How long a one-time key takes: a select with one, beside an echo through the same sshd."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import asyncssh

from bench import sites, sshd
from bench.hosts import await_all
from bench.load import Subject, paced
from bench.processes import usher
from tests.agentbox import Sandbox

SELECT = {"task": "selectsession", "sid": "desk"}
USERS = ("daemon", "bin", "sys", "games", "man", "mail", "news", "backup")
"""Accounts that every machine has: each gets its keys."""

ROUNDS, EACH, PER_SECOND = 5, 24, 20

CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
PidFile none
"""


def autologin(folder: Path) -> None:
    """A select that lets in the client's own key: our agent, over a real sshd on loopback."""
    if not sshd.installed():
        return
    folder.chmod(0o755)
    with _sshd(folder) as port, usher(folder, _site(folder, port)) as broker:
        await_all(folder, 1)
        key = {"pubkey": _public(folder, "mine")}
        forms = [sites.form(broker, user, **SELECT, **key) for user in USERS]
        subject = Subject(broker, "\n".join(forms), "/json/")
        rounds = []
        for _ in range(ROUNDS):
            answers = paced(subject, PER_SECOND, EACH)
            if not all(b"ACCEPTED" in answer.body for answer in answers):
                raise SystemExit("a select came without a key")
            selected = [answer.milliseconds for answer in answers]
            taken = [asyncio.run(_asked(folder, port, key)) for key in ("echo", "agent")]
            rounds.append([statistics.median(times) for times in (*taken, selected)])
    print(f"\nA one-time key, medians of {ROUNDS} rounds")
    print(f"{'':34}{'ms':>8}{'to echo':>10}{'to ping':>10}")
    names = ("an echo on an open channel", "a ping of the agent on one", "select with a key let in")
    for name, times, *yardsticks in zip(names, *_compared(rounds), strict=True):
        print(f"  {name:32}{times:8.2f}" + "".join(f"{ratio:10.2f}" for ratio in yardsticks))


def _compared(rounds: list[list[float]]) -> Iterator[list[float]]:
    """The medians of the columns: as they are, and beside the first and the second column."""
    for of in (None, 0, 1):
        rows = [[time / (row[of] if of is not None else 1) for time in row] for row in rounds]
        yield [statistics.median(column) for column in zip(*rows, strict=True)]


def _site(folder: Path, port: int) -> str:
    agent = f'type = "usher"\nusername = "root"\nkey = "{folder}/agent"\n'
    agent += f'known_hosts = "{folder}/known_hosts"\n'
    config = sites.farm(folder, [f"h1 (127.0.0.1:{port})"], agent)
    with (folder / "profiles.conf").open("a") as profiles:
        profiles.write("[DEFAULT]\nbroker-session-autologin = true\n")
    return config


@contextmanager
def _sshd(folder: Path) -> Iterator[int]:
    """A real sshd with two keys: one for the agent, one for an echo."""
    for name in ("host", "agent", "echo", "mine"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    box = folder / "box"
    box.mkdir()
    agent = " ".join(Sandbox(box).command("Front"))
    lines = [f'restrict,command="{agent}" {_public(folder, "agent")}']
    lines.append(f'restrict,command="cat" {_public(folder, "echo")}')
    (folder / "authorized").write_text("".join(lines))
    with sshd.started(folder, CONFIG) as port:
        (folder / "known_hosts").write_text(f"[h1]:{port} {_public(folder, 'host')}")
        yield port


def _public(folder: Path, name: str) -> str:
    return (folder / f"{name}.pub").read_text()


async def _asked(folder: Path, port: int, key: str) -> list[float]:
    """Milliseconds from a line to its answer, each for itself, of whatever the key is bound to."""
    connect = asyncssh.connect(
        "127.0.0.1",
        port,
        username="root",
        client_keys=[str(folder / key)],
        known_hosts=None,
        config=None,
        agent_path=None,
    )
    taken = []
    async with connect as connection, connection.create_process(encoding=None) as process:
        for _ in range(EACH):
            begin = perf_counter()
            process.stdin.write(b'{"id": 1, "verb": "ping"}\n')
            while b'"id": 1' not in await process.stdout.readline():
                pass
            taken.append((perf_counter() - begin) * 1000)
            await asyncio.sleep(1 / PER_SECOND)
        process.stdin.write_eof()
    return taken
