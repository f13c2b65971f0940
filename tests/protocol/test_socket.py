"""The Unix socket: the kernel says who is there, and that alone makes the rank."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from daemon import DEADLINE_SECONDS, Daemon, running, usher, write_config

from usher.ssh import ask

RELAY, ADMIN, STRANGER = "www-data", "daemon", "nobody"
UIDS = {"www-data": 33, "daemon": 1, "nobody": 65534}
FORM = b"user=alice&password=wonder"

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can take other accounts' place")

SPEAK = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.sendall(sys.stdin.buffer.read())
    connection.shutdown(socket.SHUT_WR)
    with connection.makefile("rb") as stream:
        sys.stdout.buffer.write(stream.read())
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """In a folder that every account can reach: the usual ones are private."""
    with TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder, socket={"relays": [RELAY], "admins": [ADMIN]}) as daemon:
            yield daemon


def say_as(account: str, daemon: Daemon, message: bytes) -> bytes:
    """Send this to the socket as another account of this machine; return the answer."""
    command = ["/usr/bin/python3", "-I", "-c", SPEAK, str(daemon.socket_path)]
    said = subprocess.run(
        command, input=message, capture_output=True, user=account, timeout=DEADLINE_SECONDS
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def say(daemon: Daemon, message: bytes) -> bytes:
    """Send this to the socket as whoever runs the tests; return the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_SECONDS)
        connection.connect(str(daemon.socket_path))
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return stream.read()


CGI = b"cgi plain 203.0.113.7 %d\n%b" % (len(FORM), FORM)
REVOKE = b"admin revoke 3\nbob"


@needs_root
@pytest.mark.parametrize(
    ("account", "message", "status"),
    [
        (RELAY, CGI, 200),
        (ADMIN, CGI, 403),
        (STRANGER, CGI, 403),
        ("root", CGI, 403),
        (RELAY, REVOKE, 403),
        (ADMIN, REVOKE, 200),
        (STRANGER, REVOKE, 403),
        ("root", REVOKE, 200),
    ],
)
def test_each_account_may_do_what_its_rank_allows(
    daemon: Daemon, account: str, message: bytes, status: int
):
    answer = say_as(account, daemon, message)
    assert answer.startswith(b"%d " % status)
    assert (b"Access granted" in answer) == (status == 200 and message == CGI)


@needs_root
def test_a_refusal_names_the_uid_in_the_log(daemon: Daemon):
    say_as(STRANGER, daemon, REVOKE)
    daemon.log.wait_for(f"refused uid {UIDS[STRANGER]} at the socket: admin from uid")


@needs_root
def test_a_relay_authenticates_like_anybody_else_and_names_the_address(daemon: Daemon):
    wrong = b"cgi plain 203.0.113.7 26\nuser=alice&password=wrongg"
    assert b"Access granted" not in say_as(RELAY, daemon, wrong)
    daemon.log.wait_for("refused .* at 203.0.113.7: auth")


GARBAGE = [
    b"",
    b"\n",
    b"x",
    b"x\n",
    b"cgi\n",
    b"cgi plain 127.0.0.1\n",
    b"cgi plain 127.0.0.1 x\n",
    b"cgi plain 127.0.0.1 -1\n",
    b"cgi plain 127.0.0.1 65537\n",
    b"cgi plain 127.0.0.1 99999999999999999999\n",
    b"cgi plain 127.0.0.1 100\ntoo few",
    b"cgi plain nowhere 0\n",
    b"cgi plain 0\n",
    b"cgi uccs 127.0.0.1 0\n",
    b"cgi ../plain 127.0.0.1 0\n",
    b"ssh alice 0\n",
    b"admin 0\n",
    b"admin revoke alice 0\n",
    b"admin __class__ 0\n",
    b"admin revoke 2\n\xff\xff",
    b"\xff\xfe 0\n",
    b"x" * 100_000,
    b"POST /plain/ HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.fixture(scope="module")
def open_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One where the tests' own account may do everything."""
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    with running(tmp_path_factory.mktemp("open"), socket={"relays": [me]}) as daemon:
        yield daemon


@pytest.mark.parametrize("message", GARBAGE)
def test_what_is_no_message_is_refused_and_harms_nobody(open_daemon: Daemon, message: bytes):
    try:
        answer = say(open_daemon, message)
    except ConnectionError:  # it closed without reading all of it
        answer = b"400 "
    assert answer.startswith(b"400 ")
    assert say(open_daemon, CGI).startswith(b"200 ")


def test_who_leaves_without_waiting_harms_nobody(open_daemon: Daemon):
    for message in (b"", b"cgi", CGI[:-1], CGI):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(open_daemon.socket_path))
            connection.sendall(message)
    assert say(open_daemon, CGI).startswith(b"200 ")


@pytest.mark.parametrize("wire", ["plain", "json"])
@pytest.mark.parametrize(
    "form",
    [
        b"task=testcon",
        b"user=alice&password=wrong",
        b"user=alice&user=bob",
        b"%ff",
        b"",
        b"user=alice&password=wonder&task=setpass",
    ],
)
def test_the_socket_answers_in_the_same_bytes_as_http(open_daemon: Daemon, wire: str, form: bytes):
    status, content_type, body = ask(str(open_daemon.socket_path), f"cgi {wire} 127.0.0.1", form)
    by_http = open_daemon.request("POST", f"/{wire}/", form)
    assert (status, content_type) == (by_http.status, by_http.headers["content-type"])
    assert without_authid(body.decode()) == without_authid(by_http.text)


def without_authid(text: str) -> str:
    """The answer, with a word in place of what is different every time."""
    return re.sub(r"[0-9a-f]{100,}", "some-authid", text)


def test_everybody_may_connect(open_daemon: Daemon):
    assert stat.S_IMODE(open_daemon.socket_path.stat().st_mode) == 0o666


def test_a_socket_that_a_dead_daemon_left_is_replaced(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "usher.sock"))
    with running(tmp_path) as daemon:
        assert daemon.usher("revoke", "alice").returncode == 0


def test_the_socket_of_a_living_daemon_is_not_taken(tmp_path: Path):
    with running(tmp_path) as daemon:
        ended = usher("serve", "-c", str(daemon.config))
        assert ended.returncode == 2
        assert "another daemon listens" in ended.stderr
        assert daemon.usher("revoke", "alice").returncode == 0
    assert not daemon.socket_path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path):
    config = write_config(tmp_path)
    precious = tmp_path / "usher.sock"
    precious.write_text("precious")
    ended = usher("serve", "-c", str(config))
    assert ended.returncode == 2
    assert "socket.path: " in ended.stderr
    assert "is not a socket" in ended.stderr
    assert precious.read_text() == "precious"


def test_accounts_that_do_not_exist_are_told_of_and_change_nothing(tmp_path: Path):
    with running(
        tmp_path, socket={"relays": ["no-such-account"], "admins": ["nor-this"]}
    ) as daemon:
        assert "no account 'no-such-account'" in daemon.log.text()
        assert "no account 'nor-this'" in daemon.log.text()
        if os.getuid() == 0:
            assert say(daemon, CGI).startswith(b"403 ")


HOLD = """
import socket, sys
held = []
for _ in range(40):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    held.append(connection)
refused = 0
for connection in held[16:]:
    refused += connection.recv(1) == b""
print(refused)
"""


@needs_root
def test_a_stranger_holds_only_so_many_connections(daemon: Daemon):
    command = ["/usr/bin/python3", "-I", "-c", HOLD, str(daemon.socket_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, user=STRANGER, timeout=DEADLINE_SECONDS
    )
    assert done.stdout == "24\n", done.stderr
