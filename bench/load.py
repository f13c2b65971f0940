"""Two loads: as much as a server bears (wrk), and so many requests a second (latencies)."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import ssl
import statistics
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from time import perf_counter, sleep
from typing import cast
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import uvloop

from bench.processes import LOAD_CORE, Running

SECONDS, ROUNDS, CONNECTIONS = 2, 5, 32

CALLERS = 512
"""Connections at a given rate. A request that is due while all of them wait is late, and counts."""

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
if os.getenv("CLOSE") then wrk.headers["Connection"] = "close" end
local bodies, next = {}, 0
for body in os.getenv("BODIES"):gmatch("%S+") do bodies[#bodies + 1] = body end
function request()
    next = next % #bodies + 1
    return wrk.format(nil, nil, nil, bodies[next])
end
"""


@dataclass(frozen=True)
class Subject:
    """What is measured: a server and the form it is sent, or several (one a line) in turn."""

    server: Running
    form: str = field(repr=False)
    path: str = "/plain/"


@dataclass(frozen=True, order=True)
class Answer:
    """How many milliseconds it came after the request was due, and its body."""

    milliseconds: float
    body: bytes


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
        env = {**os.environ, "BODIES": subject.form, **({"CLOSE": "1"} if close else {})}
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


def compare_latencies(
    title: str, subjects: Mapping[str, Subject], yardstick: str, *, per_second: float
) -> None:
    """Ask the subjects in turn at this rate, print each one's latencies beside the yardstick's."""
    rounds = [
        {name: latencies(subject, per_second=per_second, seconds=5) for name, subject in turn}
        for turn in [subjects.items()] * ROUNDS
    ]
    print(f"\n{title}, {per_second:.0f}/s\n{'':34}{'p50 ms':>8}{'p99 ms':>8}{'p99 ratio':>11}")
    for name in subjects:
        p50, p99 = (
            statistics.median(percentile(r[name], part) for r in rounds) for part in (0.5, 0.99)
        )
        ratio = statistics.median(
            percentile(r[name], 0.99) / percentile(r[yardstick], 0.99) for r in rounds
        )
        print(f"  {name:32}{p50:8.2f}{p99:8.2f}{ratio:11.2f}", flush=True)


def latencies(subject: Subject, *, per_second: float, seconds: float) -> list[float]:
    """Milliseconds from when each request was due to its answer, at this rate, sorted."""
    count = int(per_second * seconds)
    return [answer.milliseconds for answer in paced(subject, per_second, count)]


def paced(subject: Subject, per_second: float, count: int) -> list[Answer]:
    """The answers to so many requests at this rate, the quickest first."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, LOAD_CORE)
    gc.disable()  # its pauses would count as the server's
    try:
        return sorted(uvloop.run(_paced(subject, per_second, count)))
    finally:
        gc.enable()
        os.sched_setaffinity(0, before)


class _Line:
    """Requests that are due, connections that have nothing to do, and what has been answered."""

    def __init__(self) -> None:
        self.due: deque[tuple[bytes, float]] = deque()
        self.idle: deque[_Connection] = deque()
        self.answers: list[Answer] = []

    def go_on(self) -> None:
        """Send what is due, as far as there are connections for it: all of them in turn.

        The server ends those that have long said nothing.
        """
        while self.due and self.idle:
            self.idle.popleft().ask(*self.due.popleft())


class _Connection(asyncio.Protocol):
    """A keep-alive connection: one request at a time, as many as are due."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._due = 0.0
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        """Send the request that was due then."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, _, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length and b" 200 " in head, data
        if len(body) == int(length[1]):
            self._line.answers.append(Answer((perf_counter() - self._due) * 1000, body))
            self._line.idle.append(self)
            self._data = b""
            self._line.go_on()


async def _paced(subject: Subject, per_second: float, count: int) -> list[Answer]:
    """Requests begin when they are due, whether earlier ones are answered or not."""
    where = urlsplit(subject.server.url)
    requests = cycle([_request(subject.path, form) for form in subject.form.split()])
    loop = asyncio.get_running_loop()
    line = _Line()
    for _ in range(CALLERS):
        new = partial(_Connection, line)
        _, made = await loop.create_connection(new, str(where.hostname), int(where.port or 80))
        line.idle.append(made)
    begin = perf_counter()
    for number in range(count):
        due = begin + number / per_second
        if (early := due - perf_counter()) > 0:
            await asyncio.sleep(early)
        line.due.append((next(requests), due))
        line.go_on()
    while len(line.answers) < count:
        await asyncio.sleep(0.01)
    return line.answers


def _request(path: str, form: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(form)}\r\n\r\n{form}"
    ).encode()


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
