"""``usher-ssh`` where the daemon is not there, or not itself, and what it costs."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from importlib.metadata import files
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS, running
from thin import Said, installed

import usher.ssh


def test_pip_installs_it_as_it_is():
    (path,) = (
        Path(file.locate()) for file in files("x2go-usher") or () if file.name == "usher-ssh"
    )
    assert path.read_text().startswith("#!/usr/bin/python3 -IS\n")
    assert os.access(path, os.X_OK)


def test_behind_a_forced_command_the_probe_is_answered_without_a_daemon(tmp_path: Path):
    said = installed(tmp_path, tmp_path / "no.sock").run(SSH_ORIGINAL_COMMAND='echo "LOGIN OK"')
    assert said == Said("LOGIN OK\n", "", 0)


def test_without_a_daemon_there_is_one_sentence_after_five_seconds(tmp_path: Path):
    err = installed(tmp_path, tmp_path / "no.sock").run("--task", "listsessions").refused()
    assert err.startswith("The broker does not answer (")
    assert "no.sock" in err


def test_a_daemon_that_starts_in_the_meantime_is_waited_for(tmp_path: Path):
    command = installed(tmp_path, tmp_path / "usher.sock")
    environ = {"USHER_SOCKET": str(command.socket)}
    words = [command.path, "--task", "testcon"]
    with (
        subprocess.Popen(words, env=environ, stdout=subprocess.PIPE) as early,
        running(tmp_path),
    ):
        said, _ = early.communicate(timeout=DEADLINE_SECONDS)
    assert said.startswith(b"Access granted\n")


@pytest.mark.parametrize(
    ("path", "said"), [("x" * 200, "path too long"), ("/etc/hosts", "refused"), ("\udcff", "udcff")]
)
def test_a_socket_that_cannot_be_is_told_of_in_a_sentence(tmp_path: Path, path: str, said: str):
    assert said in installed(tmp_path, Path(path)).run("--task", "testcon").refused()


@pytest.mark.parametrize(
    ("answers", "out"),
    [
        ([b"", b"200 3 text/plain\nyes"], "yes"),
        ([b"200 100 text/plain\nAccess granted"], ""),
        ([b"gibberish\n"], ""),
        ([b"200\n"], ""),
        ([b"\xff \xff \xff\n"], ""),
    ],
)
def test_only_whole_answers_are_passed_on(tmp_path: Path, answers: list[bytes], out: str):
    command = installed(tmp_path, tmp_path / "rude.sock")
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(command.socket))
        rude.listen()
        server = threading.Thread(target=speak, args=(rude, answers))
        server.start()
        said = command.run("--task", "testcon")
        server.join()
    assert (said.out, said.status, bool(said.err)) == (out, 0 if out else 1, not out)


def speak(rude: socket.socket, answers: list[bytes]) -> None:
    for answer in answers:
        connection, _ = rude.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)


def test_a_client_that_has_gone_is_no_reason_for_a_traceback(tmp_path: Path):
    command = installed(tmp_path, tmp_path / "no.sock")
    listen, write = os.pipe()
    os.close(listen)
    with open(write, "wb") as nobody:
        said = subprocess.run(
            [command.path],
            stdout=nobody,
            stderr=subprocess.PIPE,
            env={"SSH_ORIGINAL_COMMAND": 'echo "LOGIN OK"'},
            timeout=DEADLINE_SECONDS,
        )
    assert said.returncode == 1
    assert b"Traceback" not in said.stderr


def test_it_imports_the_standard_library_only_and_little_of_that():
    words = ["/usr/bin/python3", "-IS", "-X", "importtime", usher.ssh.__file__]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    bare = subprocess.run([*words[:-1], "/dev/null"], capture_output=True, text=True, check=True)
    added = {line.rsplit("|", 1)[1].strip() for line in ended.stderr.splitlines() if "|" in line}
    added -= {line.rsplit("|", 1)[1].strip() for line in bare.stderr.splitlines()}
    assert added == {"__future__", "_socket"}
