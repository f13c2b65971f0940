"""``usher-ssh`` alone, and behind Debian's sshd, beside programs that do nothing."""

from __future__ import annotations

import getpass
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import usher.ssh
from bench.processes import free_port

SSHD = "/usr/sbin/sshd"
ROUNDS = 31

CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
SetEnv USHER_SOCKET={socket} HOME={folder}/empty
"""
WRAPPED = (
    'bash -l -c \'echo "X2GODATABEGIN:1206defd-23b9-4df5-aba6-bc06653718b9"; '
    'export PATH="/usr/local/bin:/usr/bin:/bin";export TERM="dumb"; '
    '{}; echo "X2GODATAEND:1206defd-23b9-4df5-aba6-bc06653718b9";\''
)


def alone(path: Path) -> None:
    """The command as the path of a broker's URL, beside the barest Python."""
    nothing = path.with_name("nothing.py")
    nothing.write_text("")
    bare = ["/usr/bin/python3", "-IS", str(nothing)]
    ask = [usher.ssh.__file__, "--task", "listsessions"]
    env = {**os.environ, "USHER_SOCKET": str(path)}
    compare("A process", {"python3 -IS, nothing to do": bare, "usher-ssh, list": ask}, env)


def through_sshd(path: Path, folder: Path) -> None:
    """A whole login by ssh and one command in x2goclient's wrapper."""
    if not installed():
        return
    ask = f"{usher.ssh.__file__} --user {getpass.getuser()} --task listsessions"
    make_key(folder)
    with running(folder, path) as port:
        ssh = client(folder, port)
        subjects = {
            "sshd, /bin/true": [*ssh, WRAPPED.format("/bin/true")],
            "sshd, usher-ssh, list": [*ssh, WRAPPED.format(ask)],
        }
        compare("A login by ssh and a command", subjects)


def installed() -> bool:
    """Whether there is an sshd to measure; says so if not."""
    found = Path(SSHD).exists() and shutil.which("ssh") is not None
    if not found:
        print("\nThrough sshd: not measured, apt-get install openssh-server openssh-client")
    return found


def compare(
    title: str, subjects: Mapping[str, list[str]], env: Mapping[str, str] | None = None
) -> None:
    """Run the subjects in turn; print the median of each, and beside the first one."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, words in subjects.items():
            taken[name].append(_milliseconds(words, env))
    first = next(iter(taken.values()))
    print(f"\n{title}\n{'':34}{'ms':>12}{'more':>8}{'ratio':>8}")
    for name, times in taken.items():
        more = statistics.median(b - a for a, b in zip(first, times, strict=True))
        ratio = statistics.median(b / a for a, b in zip(first, times, strict=True))
        print(f"  {name:32}{statistics.median(times):12.1f}{more:8.1f}{ratio:8.2f}", flush=True)


def _milliseconds(words: list[str], env: Mapping[str, str] | None) -> float:
    begin = perf_counter()
    subprocess.run(
        words, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60
    )
    return (perf_counter() - begin) * 1000


def make_key(folder: Path) -> Path:
    """The one key of the measurement: of the host, and of who logs in."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def client(folder: Path, port: int) -> list[str]:
    """The beginning of a command that is to be run at this port."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    options += ["KexAlgorithms=curve25519-sha256"]
    words = ["ssh", "-F", "none", "-i", str(folder / "key"), "-p", str(port)]
    return [*words, *(word for option in options for word in ("-o", option)), "127.0.0.1"]


@contextmanager
def running(folder: Path, path: Path) -> Iterator[int]:
    """An SSH server that lets in who runs it; its port.

    The login has an empty home: whatever else a profile starts there would hide what we take.
    """
    (folder / "empty").mkdir()
    with started(folder, CONFIG, socket=path) as port:
        yield port


@contextmanager
def started(folder: Path, config: str, **values: object) -> Iterator[int]:
    """An SSH server; its port. The configuration names it, the folder and the values in braces."""
    port, file = free_port(), folder / "sshd_config"
    file.write_text(config.format(port=port, folder=folder, **values))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with subprocess.Popen([SSHD, "-D", "-e", "-f", file], stderr=-1, text=True) as server:
        try:
            assert server.stderr
            if not any("listening on" in line for line in server.stderr):
                raise SystemExit("sshd did not start")
            yield port
        finally:
            server.terminate()
