"""How fast a user finds a server, on a simulated farm of five hundred."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlencode, urlsplit

from bench import sites
from bench.hosts import await_all, hosts
from bench.load import Subject, compare, compare_latencies, paced, percentile
from bench.processes import Running, constant, started, usher

SERVERS, USERS, PER_SECOND = 500, 200, 200
SELECT = {"task": "selectsession", "sid": "desk"}
LIST = {"task": "listsessions"}
FULL = 'type = "simulated"\npeople = 100\nusers = 20000\npace = 0.02\n'
"""About forty sessions on each server: twenty thousand. One lives for some hours."""

IDLE_SECONDS = 20
SETTLED_SECONDS = 13
"""Until a server that does not answer counts as down, and a beginning is over."""


def select(folder: Path) -> None:
    """Select on 500 servers with 20,000 sessions, beside a short list and a constant answer."""
    with _farm(folder, FULL) as farm, constant(200) as same:
        subjects = {
            "list": Subject(farm, _forms(farm, "list", **LIST)),
            "select, no session yet": Subject(farm, _forms(farm, "new", **SELECT)),
            "select, with sessions": Subject(farm, _forms(farm, "user", **SELECT)),
        }
        sizes = ", ".join(f"{name}: {_size(subject)}" for name, subject in subjects.items())
        print(f"\n{_sessions(folder)} sessions; bytes in a reply: {sizes}")
        title = f"Select on {SERVERS} servers, keep-alive"
        compare(title, subjects, "list")
        subjects = {"constant answer": Subject(same, "x=y"), **subjects}
        compare_latencies(title, subjects, "constant answer", per_second=PER_SECOND)


def dead(folder: Path) -> None:
    """Select while half of the farm does not answer, beside a farm that is well."""
    half = f"silent = {json.dumps(sites.servers(SERVERS)[::2])}\n"
    with _farm(folder / "well", FULL) as well, _farm(folder / "dead", FULL + half) as ill:
        sleep(SETTLED_SECONDS)
        subjects = {
            "all well": Subject(well, _forms(well, "new", **SELECT)),
            "half of them silent": Subject(ill, _forms(ill, "new", **SELECT)),
        }
        title = f"Select on {SERVERS} servers"
        compare_latencies(title, subjects, "all well", per_second=PER_SECOND)


def storm(folder: Path) -> None:
    """A thousand logins in ten seconds on equal servers, then while one in twenty dies."""
    print(f"\n1000 logins in 10 s, each a list and a select, on {SERVERS} equal servers")
    empty = 'type = "simulated"\npeople = 0\n'
    dying = sites.servers(SERVERS)[::20]
    _storm(folder / "well", empty, 0)
    _storm(folder / "dying", f"{empty}dying = {json.dumps(dying)}\n", len(dying))


def memory(folder: Path) -> None:
    """Resident memory with fifty thousand sessions in the picture, simulation included."""
    agent = FULL.replace("people = 100", "people = 250")
    with _farm(folder, agent) as farm:
        print(f"\n{_sessions(folder)} sessions on {SERVERS} servers: {farm.memory_mb():.0f} MB")


def idle(folder: Path) -> None:
    """The CPU of a broker that nobody asks, with 500 connections to agents of ours, and memory.

    All the agents are one process with an SSH server of its own: 500 sshd would take the machine.
    """
    with started(sys.executable, "-m", "bench.agents", str(folder)) as agents:
        port = urlsplit(agents.url).port
        named = [f"{name} (127.0.0.1:{port})" for name in sites.servers(SERVERS)]
        known = f'key = "{folder}/id"\nknown_hosts = "{folder}/known_hosts"\n'
        config = sites.farm(folder, named, f'type = "usher"\n{known}')
        with usher(folder, config) as broker:
            begun = monotonic()
            await_all(folder, SERVERS)
            print(f"\n{SERVERS} connections to agents, {_sessions(folder)} sessions")
            print(
                f"  all there after {monotonic() - begun:.0f} s, then {broker.memory_mb():.0f} MB"
            )
            sleep(SETTLED_SECONDS)
            before = broker.cpu_seconds()
            sleep(IDLE_SECONDS)
            used = (broker.cpu_seconds() - before) / IDLE_SECONDS
            print(f"  idle: {used:.1%} of a core", flush=True)


def _storm(folder: Path, agent: str, dying: int) -> None:
    with _farm(folder, agent) as farm:
        pairs = [f"{_login(n, **LIST)}\n{_login(n, **SELECT)}" for n in range(1000)]
        answers = paced(Subject(farm, "\n".join(pairs)), 200, 2000)
    selected = [a for a in answers if b"SERVER:" in a.body]
    sent = Counter(a.body.split(b"SERVER:")[1].split()[0] for a in selected)
    errors = len(answers) - sum(b"Access granted" in a.body and b".invalid" not in a.body
                                for a in answers)  # fmt: skip
    assert sent.total() + errors >= 1000
    fair = ceil(1000 / (SERVERS - dying))
    p99 = percentile([answer.milliseconds for answer in answers], 0.99)
    print(f"  {dying:3} dying: {errors} errors; the most on one server {max(sent.values())}, fair "
          f"share {fair}; p99 {p99:.1f} ms", flush=True)  # fmt: skip


def _login(number: int, **fields: str) -> str:
    return urlencode({"user": f"new{number}", "password": "-", **fields})


@contextmanager
def _farm(folder: Path, agent: str) -> Iterator[Running]:
    """A broker that has seen every server of its farm."""
    folder.mkdir(exist_ok=True)
    silent = agent.count('"ts')
    with usher(folder, sites.farm(folder, sites.servers(SERVERS), agent)) as running:
        await_all(folder, SERVERS - silent)
        yield running


def _sessions(folder: Path) -> int:
    return sum(int(row[5]) for row in hosts(folder))


def _forms(farm: Running, kind: str, **fields: str) -> str:
    """The forms of so many users who have logged in."""
    return "\n".join(sites.form(farm, f"{kind}{number}", **fields) for number in range(USERS))


def _size(subject: Subject) -> int:
    return len(paced(subject, PER_SECOND, 1)[0].body)
