"""``python -m bench [NAME…]``: run every measurement, or those of these names."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from time import perf_counter

from bench import built_in, farm, old_broker, onetime, sites, sshd
from bench.load import Subject, compare, latencies, paced_connections, percentile, saturate
from bench.processes import Running, constant, free_port, usher

LIST = {"task": "listsessions"}
CONSTANT = "constant answer, same stack"
SOAK_MINUTES, SOAK_PER_MINUTE = 10, 2000


def listing(folder: Path) -> None:
    """List of 3 profiles with an AUTHID, keep-alive; select beside it."""
    with ExitStack() as stack:
        plain = stack.enter_context(_site(folder / "plain", 3, sites.small()))
        audited = stack.enter_context(_site(folder / "audited", 3, sites.small(audit=True)))
        size = len(sites.ask(plain, **LIST))
        subjects = {
            CONSTANT: Subject(stack.enter_context(constant(size)), "x=y"),
            "list": Subject(plain, sites.form(plain, **LIST)),
            "list, audit line written": Subject(audited, sites.form(audited, **LIST)),
            "select": Subject(plain, sites.form(plain, task="selectsession", sid="p00001")),
        }
        if old := stack.enter_context(old_broker.running(folder / "plain")):
            subjects["list, x2gobroker-daemon"] = Subject(
                old, "task=listsessions&user=alice&password=wonder", old_broker.PATH
            )
        compare("List of 3 profiles, keep-alive", subjects, CONSTANT)


def tls(folder: Path) -> None:
    """A new TLS connection for each request."""
    with ExitStack() as stack:
        server = stack.enter_context(_site(folder / "tls", 3, sites.small(tls=True)))
        certificate = sites.certificate(folder)
        size = len(sites.ask(server, **LIST))
        subjects = {
            CONSTANT: Subject(stack.enter_context(constant(size, certificate)), "x=y"),
            "list": Subject(server, sites.form(server, **LIST)),
        }
        compare("A new TLS connection for each request", subjects, CONSTANT, close=True)


def access(folder: Path) -> None:
    """A user in 50 groups who sees 10 of 10,000 profiles, beside those 10 alone."""
    others = "acl-groups-allow = h{number}\n"
    with ExitStack() as stack:
        few = stack.enter_context(_site(folder / "few", 10, sites.many_groups(), mine=10))
        many = stack.enter_context(
            _site(folder / "many", 10_000, sites.many_groups(), others, mine=10)
        )
        subjects = {
            "10 profiles": Subject(few, sites.form(few, **LIST)),
            "10 of 10,000 profiles": Subject(many, sites.form(many, **LIST)),
        }
        compare("List by a user in 50 groups", subjects, "10 profiles")


def start(folder: Path) -> None:
    """From the start of the process to the first answer, and the memory it then has."""
    print(f"\nStart to first answer, and memory\n{'':34}{'seconds':>12}{'MB':>13}")
    for count in (3, 10_000):
        seconds, memory = [], 0.0
        for number in range(5):
            begin = perf_counter()
            with _site(folder / f"start{count}-{number}", count, sites.small()) as server:
                sites.ask(server)
                seconds.append(perf_counter() - begin)
                sites.ask(server, **LIST)
                memory = max(memory, server.memory_mb())
        print(f"  {f'{count} profiles':32}{statistics.median(seconds):12.2f}{memory:13.0f}")


def reload(folder: Path) -> None:
    """Latencies at half the saturation rate while 10,000 profiles are read again every 10 s."""
    here = folder / "reload"
    with _site(here, 10_000, sites.many_groups(), "acl-groups-allow = h{number}\n", 10) as server:
        subject = Subject(server, sites.form(server, **LIST))
        rate = saturate(subject).per_second / 2
        with _rewritten(here):
            taken = latencies(subject, per_second=rate, seconds=35)
    print(f"\nAt {rate:.0f} requests/s, every one of 10,000 profiles changed every 10 s")
    print(f"  p50 {percentile(taken, 0.5):.1f} ms  p99 {percentile(taken, 0.99):.1f} ms"
          f"  longest {taken[-1]:.1f} ms")  # fmt: skip


@contextmanager
def _rewritten(folder: Path) -> Iterator[None]:
    """Every ten seconds another file takes the place of the profiles; made beforehand."""
    live = folder / "profiles.conf"
    extra = ("width = 801\nacl-groups-allow = h{number}\n", "acl-groups-allow = h{number}\n")
    texts = []
    for lines in extra:
        sites.profiles(folder, 10_000, lines, mine=10)
        texts.append(live.read_bytes())
    stop = threading.Event()

    def rewrite() -> None:
        for text in cycle(texts):
            if stop.wait(10):
                return
            live.with_suffix(".new").write_bytes(text)
            live.with_suffix(".new").replace(live)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def cgi(folder: Path) -> None:
    """A request through ``usher-cgi``, beside a Python that does nothing."""
    with _site(folder / "cgi", 3, sites.small()) as server:
        env = {
            **os.environ,
            "USHER_SOCKET": str(folder / "cgi" / "usher.sock"),
            "REQUEST_METHOD": "POST",
            "REMOTE_ADDR": "127.0.0.1",
        }
        command = Path(sys.executable).with_name("usher-cgi")
        form = sites.form(server, **LIST).encode()
        subjects = {"python -c pass": [sys.executable, "-c", "pass"], "usher-cgi": [str(command)]}
        print(f"\nCGI, milliseconds for a process\n{'':34}{'median':>12}")
        for name, words in subjects.items():
            taken = [_milliseconds(words, form, env) for _ in range(41)]
            print(f"  {name:32}{statistics.median(taken):12.1f}")


def usher_ssh(folder: Path) -> None:
    """A request through ``usher-ssh``, alone and behind sshd."""
    with _site(folder / "ssh", 3, sites.small()):
        sshd.alone(folder / "ssh" / "usher.sock")
        sshd.through_sshd(folder / "ssh" / "usher.sock", folder)


def ssh_server(folder: Path) -> None:
    """The built-in SSH server: a login, and further commands on an open connection."""
    port = free_port()
    with _site(folder / "ssh", 3, sites.small() + built_in.config(folder, port)):
        built_in.logins(folder, port)
        built_in.tasks(folder, port)


def soak(folder: Path) -> None:
    """2,000 TLS connections a minute for ten minutes; the memory at each."""
    with _site(folder / "soak", 3, sites.small(tls=True)) as server:
        subject = Subject(server, sites.form(server, **LIST))
        print(f"\n{SOAK_PER_MINUTE} TLS connections a minute: memory in MB", end="", flush=True)
        for _ in range(SOAK_MINUTES):
            paced_connections(subject, SOAK_PER_MINUTE, seconds=60)
            print(f"  {server.memory_mb():.1f}", end="", flush=True)
        print()


def _site(
    folder: Path, count: int, config: str, extra: str = "", mine: int = 0
) -> AbstractContextManager[Running]:
    folder.mkdir(exist_ok=True)
    sites.profiles(folder, count, extra, mine)
    if "certificate" in config:
        sites.certificate(folder)
    return usher(folder, config)


def _milliseconds(words: list[str], form: bytes, env: dict[str, str]) -> float:
    begin = perf_counter()
    env = {**env, "CONTENT_LENGTH": str(len(form))}
    subprocess.run(words, input=form, env=env, stdout=subprocess.DEVNULL, check=True)
    return (perf_counter() - begin) * 1000


MEASUREMENTS: Mapping[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (listing, tls, access, start, reload, cgi, usher_ssh, ssh_server, soak)
    + (farm.select, farm.dead, farm.storm, farm.memory, farm.idle, onetime.autologin)
}


def main() -> None:
    """Run what was asked for."""
    names = sys.argv[1:] or list(MEASUREMENTS)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            MEASUREMENTS[name](Path(folder))


if __name__ == "__main__":
    main()
