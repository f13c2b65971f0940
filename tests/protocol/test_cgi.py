"""``usher-cgi`` as a web server runs it: an environment, a form on standard input, an answer."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS, Daemon, running

FORM = b"user=alice&password=wonder&task=listsessions"


@dataclass(frozen=True)
class Response:
    """What a CGI program told its web server."""

    headers: dict[str, str]
    body: bytes
    stderr: str

    @property
    def status(self) -> int:
        return int(self.headers["Status"].split()[0])


def run(socket_path: Path, form: bytes = FORM, **environ: str) -> Response:
    """Run the command as a web server would, with these variables instead of the usual ones."""
    usual = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/cgi-bin/x2gobroker.cgi",
        "PATH_INFO": "/plain/",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(form)),
        "USHER_SOCKET": str(socket_path),
    }
    command = [sys.executable, "-X", "utf8=0", "-m", "usher.cgi"]
    ended = subprocess.run(
        command, input=form, capture_output=True, env=usual | environ, timeout=DEADLINE_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    head, _, body = ended.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    assert len(body) == int(headers["Content-Length"])
    return Response(headers, body, ended.stderr.decode())


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    with running(tmp_path_factory.mktemp("cgi"), socket={"relays": [me]}) as daemon:
        yield daemon


@pytest.mark.parametrize("path", ["/plain/", "/plain/inifile/", "/json/", "/json/x/"])
@pytest.mark.parametrize(
    "form",
    [FORM, b"user=alice&password=wrong", b"task=testcon", b"user=alice&user=bob", b"%ff", b""],
)
def test_it_answers_in_the_same_bytes_as_the_daemon(daemon: Daemon, path: str, form: bytes):
    answer = run(daemon.socket_path, form, PATH_INFO=path)
    by_http = daemon.request("POST", path, form)
    assert answer.status == by_http.status
    assert answer.headers["Content-Type"] == by_http.headers["content-type"]
    assert _without_authid(answer.body.decode()) == _without_authid(by_http.text)


def _without_authid(text: str) -> str:
    return re.sub(r"[0-9a-f]{100,}", "some-authid", text)


def test_an_authid_counts_on_either_way_and_from_its_address_only(daemon: Daemon):
    authid = daemon.post(user="alice", password="wonder").authid.encode()
    again = b"user=alice&authid=" + authid
    assert b"Access granted" in run(daemon.socket_path, again).body
    assert b"Access granted" not in run(daemon.socket_path, again, REMOTE_ADDR="192.0.2.1").body


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_the_client_is_whom_the_web_server_names(daemon: Daemon, address: str):
    run(daemon.socket_path, b"user=alice&password=wrong", REMOTE_ADDR=address)
    daemon.log.wait_for(rf"refused '\w+' at {address.removeprefix('::ffff:')}: auth")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_only_forms_that_are_posted_are_answered(daemon: Daemon, method: str):
    assert run(daemon.socket_path, REQUEST_METHOD=method).status == 405


@pytest.mark.parametrize("length", ["65537", "-1", "x", "9" * 5000])
def test_a_body_of_an_impossible_size_is_refused(daemon: Daemon, length: str):
    assert run(daemon.socket_path, CONTENT_LENGTH=length).status == 413


def test_a_body_of_the_largest_size_is_handed_on(daemon: Daemon):
    assert run(daemon.socket_path, b"x" * 65536).status == 200


@pytest.mark.parametrize(("path", "status"), [("/plain/", 200), ("/json/", 503)])
def test_without_a_daemon_the_client_is_told_in_words_it_survives(
    tmp_path: Path, path: str, status: int
):
    answer = run(tmp_path / "nobody.sock", PATH_INFO=path)
    assert answer.status == status
    assert b"Access granted" not in answer.body
    assert "nobody.sock" in answer.stderr


def test_a_daemon_that_breaks_off_is_as_good_as_none(tmp_path: Path):
    path = tmp_path / "rude.sock"
    with socket.socket(socket.AF_UNIX) as rude:
        rude.bind(str(path))
        rude.listen()
        command = [sys.executable, "-m", "usher.cgi"]
        environ = {"REQUEST_METHOD": "POST", "USHER_SOCKET": str(path), "REMOTE_ADDR": "::1"}
        with subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1
        ) as process:
            connection, _ = rude.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"200 100 text/plain\nAccess granted")
            said, complaint = process.communicate(timeout=DEADLINE_SECONDS)
    assert b"Access granted" not in said
    assert b"broke off" in complaint


def test_a_daemon_that_starts_in_the_meantime_is_waited_for(tmp_path: Path):
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    command = [sys.executable, "-m", "usher.cgi"]
    environ = {
        "REQUEST_METHOD": "POST",
        "USHER_SOCKET": str(tmp_path / "usher.sock"),
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(FORM)),
    }
    with (
        subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as early,
        running(tmp_path, socket={"relays": [me]}),
    ):
        said, _ = early.communicate(FORM, timeout=DEADLINE_SECONDS)
    assert b"Access granted" in said


def test_it_imports_nothing_heavy():
    command = [sys.executable, "-I", "-X", "importtime", "-c", "import usher.cgi"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in ended.stderr.splitlines()}
    assert "usher.cgi" in imported
    assert imported.isdisjoint({"asyncio", "json", "re", "msgspec", "argparse", "logging"})
    assert {name for name in imported if name.startswith("usher.")} == {"usher.cgi", "usher.ssh"}
