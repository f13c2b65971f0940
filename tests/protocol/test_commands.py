"""The commands as they are typed: one sentence for what went wrong, and nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS, running, usher, write_config

from usher.commands import daemon
from usher.config import core, load
from usher.tables import Socket

BROKEN = """\
def check_access(user, password, authid):
    return True

def list_profiles(user):
    raise RuntimeError("the database is down")

def select_profile(user, sid):
    return None
"""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["why", ""], "argument USER: is empty: write the user's name"),
        (["revoke", ""], "argument USER: is empty: write the user's name"),
        (["revoke", "j\udcfcrgen"], r"argument USER: 'j\udcfcrgen' is no name, or is not UTF-8"),
        (["why", "--client", "nonsense", "alice"], "'nonsense' is no address: write 192.0.2.7"),
        (["demo", "--port", "99999"], "99999 is no port: write 1 to 65535"),
        (["demo", "--port", "-1"], "-1 is no port: write 1 to 65535"),
        (["why", "alice", "desktop", "lab"], "unrecognized arguments: lab"),
        (["revoke", "alice", "bob"], "unrecognized arguments: bob"),
        (["serve", "-c", "/none.toml"], "/none.toml:1: file: cannot be read: No such file"),
    ],
)
def test_a_wrong_word_is_exit_status_2_and_a_sentence(typed: list[str], told: str):
    ended = usher(*typed)
    assert ended.returncode == 2
    assert told in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "1: file: cannot be read"), ("[http]\nhost = here\n", "2: syntax: Invalid value")],
)
def test_a_file_that_cannot_be_read_is_a_fault_like_any_other(tmp_path: Path, text, told: str):
    config = tmp_path / "usher.toml"
    if text:
        config.write_text(text)
    checked = usher("check", "-c", str(config))
    assert (checked.returncode, checked.stderr) == (2, "")
    assert checked.stdout.startswith(f"{config}:{told}")
    assert checked.stdout.count("\n") == 1


def test_alone_it_lists_its_commands():
    ended = usher()
    assert ended.returncode == 0
    for command in ("serve", "check", "why", "revoke", "demo"):
        assert f"\n    {command} " in ended.stdout


def test_it_knows_its_version():
    assert usher("--version").stdout.startswith("usher 0.")


def test_beside_the_running_daemon_the_check_is_fine_and_leaves_nothing(tmp_path: Path):
    with running(tmp_path) as daemon:
        config = tmp_path / "usher.toml"
        config.write_text(config.read_text().replace("port = 0", f"port = {daemon.port}"))
        before = sorted(tmp_path.rglob("*"))
        checked = usher("check", "-c", str(config))
        assert (checked.returncode, checked.stdout) == (0, "")
        assert sorted(tmp_path.rglob("*")) == before


def test_the_file_may_be_named_from_where_it_stands(tmp_path: Path):
    with running(tmp_path):
        pass  # a store is left behind
    assert usher("check", "-c", "usher.toml", folder=tmp_path).returncode == 0
    revoked = usher("revoke", "-c", "usher.toml", "alice", folder=tmp_path)
    assert "alice will have to log in again" in revoked.stdout


@pytest.mark.parametrize(
    "typed",
    [
        ("alice", "lab", "-c", "usher.toml", "--client", "192.0.2.7"),
        ("alice", "-c", "usher.toml", "--client", "192.0.2.7", "lab"),
        ("--client", "192.0.2.7", "alice", "-c", "usher.toml", "lab"),
    ],
)
def test_options_of_why_stand_anywhere(tmp_path: Path, typed: tuple[str, ...]):
    write_config(tmp_path, profiles="[desk]\nhost = a\n\n[lab]\nhost = b\n")
    told = usher("why", *typed, folder=tmp_path).stdout.splitlines()
    assert told[0].endswith("at 192.0.2.7")
    assert told[1:] == ["lab: visible: no user or group list"]


WRONG = [
    {"http": {"port": 70000}},
    {"http": {"host": "203.0.113.1", "plaintext": True}},
    {"http": {"certificate": "gone", "key": "gone"}},
    {"store": {"path": "profiles.conf"}},
    {"socket": {"path": "profiles.conf"}},
    {"audit": {"path": "."}},
    {"authid": {"lifetime": 0}},
    {"profiles": {"path": "gone.conf"}},
]


@pytest.mark.parametrize("tables", WRONG, ids=str)
def test_serve_says_what_check_has_said_once_and_as_it_stands(tmp_path: Path, tables):
    config = str(write_config(tmp_path, **tables))
    before = sorted(tmp_path.rglob("*"))
    checked, served = usher("check", "-c", config), usher("serve", "-c", config)
    assert checked.returncode == served.returncode == 2
    assert checked.stdout == served.stderr
    assert len(served.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_with_no_store_there_is_nothing_to_revoke_and_none_is_made(tmp_path: Path):
    config = str(write_config(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    ended = usher("revoke", "alice", "-c", config)
    assert ended.returncode == 1
    assert "there is nothing to change" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_backend_that_fails_is_a_sentence_of_why(tmp_path: Path):
    (tmp_path / "broken.py").write_text(BROKEN)
    profiles = {"type": "python", "path": "broken.py"}
    config = write_config(tmp_path, profiles=profiles, authenticator=None)
    ended = usher("why", "alice", "-c", str(config))
    assert ended.returncode == 1
    assert ended.stderr.startswith("usher: a plugin failed: ")
    assert ended.stderr.endswith("list_profiles: RuntimeError: the database is down\n")
    assert ended.stderr.count("\n") == 1


def test_why_needs_nothing_that_only_the_daemon_may_use(tmp_path: Path):
    (tmp_path / "file").touch()
    config = write_config(tmp_path, store={"path": "file"}, http={"port": 70000})
    assert "desktop: visible: " in usher("why", "alice", "-c", str(config)).stdout


def test_a_daemon_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(daemon, "ANSWER_SECONDS", 0.05)
    config = load(write_config(tmp_path))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(core(config, Socket).path))
        silent.listen()
        with pytest.raises(OSError, match="does not answer: look at its log"):
            daemon.of_the_daemon(config, "hosts", "")


def test_a_profile_that_a_user_does_not_have_is_told_with_the_user(tmp_path: Path):
    ended = usher("why", "bob", "lab", "-c", str(write_config(tmp_path)))
    assert ended.returncode == 1
    assert "there is no profile 'lab' for bob" in ended.stderr


def test_a_demonstration_that_nobody_can_read_ends_quietly():
    command = [sys.executable, "-m", "usher.cli", "demo", "--port", "0"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False
        )
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as gone:
        unread = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False
        )
    assert (ended.returncode, ended.stderr) == (unread.returncode, unread.stderr) == (0, b"")


@pytest.mark.parametrize("typed", [["--help"], ["check"], ["why", "alice"]], ids=" ".join)
def test_a_command_whose_reader_has_gone_ends_without_a_word(tmp_path: Path, typed: list[str]):
    reading, writing = os.pipe()
    os.close(reading)
    config = [] if typed == ["--help"] else ["-c", str(write_config(tmp_path, profiles="[a]\n"))]
    command = [sys.executable, "-m", "usher.cli", *typed, *config]
    ended = subprocess.run(
        command, stdout=writing, stderr=-1, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    os.close(writing)
    assert ended.stderr == ""
