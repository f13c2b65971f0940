"""Debian's x2gobroker-daemon, where it is installed: the broker that sites have used so far."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from bench.processes import SERVER_CORE, Running

CONFIG = """
[global]
default-auth-mech = none
[broker_inifile]
enable = true
auth-mech = none
"""
PATH = "/plain/inifile/"


@contextmanager
def running(folder: Path) -> Iterator[Running | None]:
    """That broker on the profiles of this folder, believing every password; None without it."""
    command = shutil.which("x2gobroker-daemon")
    if command is None:
        print("x2gobroker-daemon is not installed: measured without it")
        yield None
        return
    (folder / "x2gobroker.conf").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        # Its first line asks for any python3, and its library is Debian's.
        [
            "/usr/bin/python3",
            command,
            "-b",
            f"127.0.0.1:{port}",
            "-C",
            str(folder / "x2gobroker.conf"),
        ],
        env={**os.environ, "X2GOBROKER_SESSIONPROFILES": str(folder / "profiles.conf")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORE),
    )
    try:
        _await(port)
        yield Running(f"http://127.0.0.1:{port}", process)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.wait()


def _await(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            sleep(0.05)
    raise SystemExit("x2gobroker-daemon did not start")
