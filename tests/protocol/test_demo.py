"""The demonstration: what it prints can be pasted, it tells what it decides, it leaves nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from daemon import DEADLINE_SECONDS, usher

LAST_WORDS = "What the broker decides"


@dataclass
class Demo:
    """A running demonstration, and what it has printed before its first decision."""

    process: subprocess.Popen[str]
    introduction: list[str]

    @property
    def url(self) -> str:
        """Where it says that it is."""
        return self.introduction[0].split()[-1]

    def users(self) -> dict[str, str]:
        """The table of names and passwords."""
        begin = self.introduction.index("  user    password  groups")
        rows = self.introduction[begin + 1 :]
        return dict(row.split()[:2] for row in rows[: rows.index("")])

    def paste(self, *marks: str) -> str:
        """What a shell prints when the lines with one of these marks are pasted into it."""
        lines = [line for line in self.introduction if any(mark in line for mark in marks)]
        assert len(lines) == len(marks), self.introduction
        shell = subprocess.run(
            ["bash", "-e"], input="\n".join(lines), capture_output=True, text=True, check=True
        )
        return shell.stdout

    def says(self, *words: str) -> str:
        """The next line with all these words."""
        assert self.process.stdout
        lines = (line for line in self.process.stdout if all(word in line for word in words))
        return next(lines, "")

    def rest(self) -> str:
        """Everything it prints until it ends."""
        assert self.process.stdout
        return self.process.stdout.read()

    def press_ctrl_c(self) -> int:
        """Return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def demonstration(folder: Path) -> Iterator[Demo]:
    command = [sys.executable, "-m", "usher.cli", "demo", "--port", "0"]
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env=env
    ) as process:
        watchdog = Timer(2 * DEADLINE_SECONDS, process.kill)
        watchdog.start()
        try:
            demo = Demo(process, [])
            demo.introduction += _until(LAST_WORDS, process)
            yield demo
        finally:
            watchdog.cancel()
            process.kill()


def _until(words: str, process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout
    for line in process.stdout:
        yield line.rstrip("\n")
        if line.startswith(words):
            return
    pytest.fail("the demonstration ended before it began")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder):
    with demonstration(folder) as demo:
        yield demo


pasting = pytest.mark.skipif(
    os.environ.get("CI") != "true" and not shutil.which("curl"),
    reason="not tested: that what the demonstration prints can be pasted (curl is not installed)",
)
LIST = "password=wonder -d task=listsessions"
LOGIN, SELECT = "AUTHID=$(curl", "task=selectsession"


@pasting
def test_pasting_the_first_line_lists_what_alice_may_see(demo):
    found = re.findall(r"^\[(.+)\]$", demo.paste(LIST), re.MULTILINE)
    assert found == ["applications", "desktop", "fragile", "office", "workshop"]


@pasting
def test_pasting_the_next_two_selects_a_desk(demo):
    answer = demo.paste(LOGIN, SELECT)
    assert re.search(r"^SERVER:desk[1-5]:22$", answer, re.MULTILINE)


@pasting
def test_pasting_the_line_for_python_x2go_brings_json(demo):
    assert "workshop" in json.loads(demo.paste("task=listprofiles"))["profiles"]


@pasting
def test_pasting_the_wrong_password_is_refused(demo):
    assert "Access granted" not in demo.paste("password=wrong")


@pasting
def test_a_line_tells_of_every_decision(demo):
    demo.paste(LIST)
    demo.paste("password=wrong")
    demo.paste(LOGIN, SELECT)
    assert demo.says("alice", "listsessions", "granted")
    assert demo.says("alice", "listsessions", "auth", "wrong user or password")
    assert demo.says("alice", "selectsession workshop", "to desk")


def test_every_user_can_log_in_with_the_password_that_is_shown(demo):
    url = demo.url + "plain/"
    for name, password in demo.users().items():
        form = urlencode({"user": name, "password": password, "task": "listsessions"}).encode()
        with urlopen(url, form, DEADLINE_SECONDS) as answer:
            assert b"Access granted" in answer.read(), name


def test_its_own_configuration_has_no_fault(demo, folder):
    [config] = folder.glob("*/usher.toml")
    checked = usher("check", "-c", str(config))
    assert (checked.returncode, checked.stdout) == (0, "")


def test_ctrl_c_ends_it_well_and_leaves_nothing(tmp_path):
    with demonstration(tmp_path) as demo:
        assert [*tmp_path.iterdir()]
        assert demo.press_ctrl_c() == 0
        assert not [*tmp_path.iterdir()]
        assert demo.rest().strip() == ""


def test_a_taken_port_is_one_sentence_and_exit_status_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = usher("demo", "--port", str(port))
    assert ended.returncode == 1
    assert ended.stdout == ""
    [sentence] = ended.stderr.splitlines()
    assert sentence.startswith(f"usher: port {port} is taken; choose another: ")
