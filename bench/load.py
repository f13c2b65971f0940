"""Two loads: as much as a server bears (wrk), and so many requests a second (latencies)."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter, sleep
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bench.processes import LOAD_CORE, Running

SECONDS, ROUNDS, CONNECTIONS = 2, 5, 32

LUA = """
wrk.method = "POST"
wrk.body = os.getenv("BODY")
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
if os.getenv("CLOSE") then wrk.headers["Connection"] = "close" end
"""


@dataclass(frozen=True)
class Subject:
    """What is measured: a server and the form it is sent."""

    server: Running
    form: str
    path: str = "/plain/"


@dataclass(frozen=True)
class Rate:
    """Requests per second, and the server's CPU microseconds for each."""

    per_second: float
    cpu_us: float


def saturate(subject: Subject, *, close: bool = False) -> Rate:
    """As many requests as the server bears; with ``close``, a new connection for each."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA)
        script.flush()
        env = {**os.environ, "BODY": subject.form, **({"CLOSE": "1"} if close else {})}
        words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name]
        before = subject.server.cpu_seconds()
        done = subprocess.run(
            [*words, subject.server.url + subject.path],
            env=env,
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, LOAD_CORE),
        )
    used = subject.server.cpu_seconds() - before
    if re.search(r"Non-2xx|Socket errors", done.stdout):
        raise SystemExit(f"{subject}: {done.stdout}")
    count = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert count and rate, done.stdout
    return Rate(float(rate[1]), used / int(count[1]) * 1e6)


def compare(
    title: str, subjects: Mapping[str, Subject], yardstick: str, *, close: bool = False
) -> dict[str, float]:
    """Measure the subjects in turn, print each beside the yardstick; the ratios by name."""
    rounds = [
        {name: saturate(subject, close=close) for name, subject in subjects.items()}
        for _ in range(ROUNDS)
    ]
    print(f"\n{title}\n{'':34}{'requests/s':>12}{'CPU us each':>13}{'ratio':>8}")
    ratios = {}
    for name in subjects:
        rate = statistics.median(r[name].per_second for r in rounds)
        cpu = statistics.median(r[name].cpu_us for r in rounds)
        ratios[name] = statistics.median(
            r[name].per_second / r[yardstick].per_second for r in rounds
        )
        print(f"  {name:32}{rate:12.0f}{cpu:13.0f}{ratios[name]:8.2f}", flush=True)
    return ratios


def latencies(subject: Subject, *, per_second: float, seconds: float) -> list[float]:
    """Milliseconds from when each request was due to its answer, at this rate, sorted."""
    os.sched_setaffinity(0, LOAD_CORE)
    return sorted(asyncio.run(_paced(subject, per_second, int(per_second * seconds))))


async def _paced(subject: Subject, per_second: float, count: int) -> list[float]:
    """Requests begin when they are due, whether earlier ones are answered or not."""
    where = urlsplit(subject.server.url)
    head = (
        f"POST {subject.path} HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(subject.form)}\r\n\r\n{subject.form}"
    ).encode()
    idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection(where.hostname, where.port))
    taken: list[float] = []

    async def one(due: float) -> None:
        reader, writer = await idle.get()
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        assert length and b" 200 " in answer, answer
        await reader.readexactly(int(length[1]))
        taken.append((perf_counter() - due) * 1000)
        idle.put_nowait((reader, writer))

    begin = perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            due = begin + number / per_second
            if (early := due - perf_counter()) > 0:
                await asyncio.sleep(early)
            tasks.create_task(one(due))
    return taken


def paced_connections(subject: Subject, per_minute: int, *, seconds: float) -> None:
    """A new connection for each of so many requests a minute."""
    due = perf_counter()
    context = ssl._create_unverified_context()
    until = due + seconds
    while due < until:
        request = Request(subject.server.url + subject.path, subject.form.encode())
        with urlopen(request, context=context) as answer:
            answer.read()
        due += 60 / per_minute
        sleep(max(0.0, due - perf_counter()))


def percentile(values: list[float], part: float) -> float:
    """The value that this part of the sorted values does not exceed."""
    return values[min(len(values) - 1, int(len(values) * part))]
