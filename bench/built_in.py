"""The built-in SSH server, beside Debian's sshd and beside its own library alone."""

from __future__ import annotations

import asyncio
import getpass
import os
import statistics
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import asyncssh
import uvloop

from bench import sshd
from bench.processes import LOAD_CORE, started

LIST = sshd.WRAPPED.format(f"/usher --user {getpass.getuser()} --task listsessions")
ROUNDS, WARM = 500, 50


def config(folder: Path, port: int) -> str:
    """A table for a server that lets in who runs this, by the key of the measurement."""
    allowed = folder / "authorized"
    allowed.mkdir(mode=0o755)
    key = sshd.make_key(folder)
    (allowed / getpass.getuser()).write_text(key.with_suffix(".pub").read_text())
    return f'[ssh]\nport = {port}\nhost_keys = ["{key}"]\nauthorized_keys = "{allowed}"\n'


def logins(folder: Path, port: int) -> None:
    """A whole login and a list, beside an sshd that runs a program that does nothing."""
    if not sshd.installed():
        return
    with sshd.running(folder, folder / "usher.sock") as other:
        ssh = sshd.client(folder, other)
        subjects = {
            "sshd, /bin/true": [*ssh, "/bin/true"],
            "sshd, /bin/true in the wrapper": [*ssh, sshd.WRAPPED.format("/bin/true")],
            "built in, list": [*sshd.client(folder, port), LIST],
        }
        sshd.compare("A login by ssh and a command", subjects)


def tasks(folder: Path, port: int) -> None:
    """Further lists on a connection that is open, beside a constant answer of that size."""
    os.sched_setaffinity(0, LOAD_CORE)
    with ExitStack() as stack:
        size = len(uvloop.run(_once(folder, port)))
        words = (sys.executable, "-m", "bench.constant_ssh", str(size))
        constant = stack.enter_context(started(*words))
        ports = {"constant, same library": int(constant.url.rsplit(":", 1)[1]), "list": port}
        taken = uvloop.run(_in_turn(folder, ports))
    first = statistics.median(next(iter(taken.values())))
    print(f"\nA further command on an open connection, {size} bytes\n{'':34}{'ms':>12}{'ratio':>8}")
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"  {name:32}{median * 1000:12.2f}{median / first:8.2f}", flush=True)


async def _once(folder: Path, port: int) -> str:
    connection = await _connect(folder, port)
    done = await connection.run(LIST, check=True)
    connection.close()
    await connection.wait_closed()
    return str(done.stdout)


async def _in_turn(folder: Path, ports: Mapping[str, int]) -> Mapping[str, list[float]]:
    """Seconds for each, one after the other."""
    connections = {name: await _connect(folder, port) for name, port in ports.items()}
    taken: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(WARM + ROUNDS):
        for name, connection in connections.items():
            begin = perf_counter()
            await connection.run(LIST, check=True)
            taken[name].append(perf_counter() - begin)
    for connection in connections.values():
        connection.close()
        await connection.wait_closed()
    return {name: times[WARM:] for name, times in taken.items()}


async def _connect(folder: Path, port: int) -> asyncssh.SSHClientConnection:
    async with asyncio.timeout(30):
        return await asyncssh.connect(
            "127.0.0.1",
            port,
            config=None,
            known_hosts=None,
            username=getpass.getuser(),
            client_keys=[str(folder / "key")],
        )
