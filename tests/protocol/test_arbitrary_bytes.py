"""Whatever bytes arrive at whichever door: an answer or an end, and no traceback in the log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
from daemon import DEADLINE_SECONDS, Daemon, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

many = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
wires = st.sampled_from(["plain", "json"])

NAMES = ["task", "user", "password", "authid", "sid", "profile-id", "login", "pubkey", "newpass"]
TASKS = ["listsessions", "selectsession", "setpass", "testcon", "clientevent", "listprofiles", ""]

escaped = st.binary(max_size=40).map(lambda raw: b"".join(b"%%%02x" % byte for byte in raw))
values = st.one_of(
    st.sampled_from([b"alice", b"wonder", b"desktop", *map(str.encode, TASKS)]),
    escaped,
    st.text(max_size=40).map(str.encode),
    st.integers(1, 5000).map(lambda size: b"x" * size),
)
fields = st.lists(st.tuples(st.sampled_from(NAMES).map(str.encode) | escaped, values), max_size=12)
logged_in = st.sampled_from(
    [b"", b"user=alice&password=wonder&", b"user=alice&password=wonder&task="]
)
forms = st.builds(
    lambda login, pairs: login + b"&".join(name + b"=" + value for name, value in pairs),
    logged_in,
    fields,
)
content_types = st.one_of(
    st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]),
    st.sampled_from(["text/plain; charset=utf-16", "application/json", ""]),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]), max_size=40
    ).map(str.strip),
)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("bytes")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def connection(daemon: Daemon) -> Iterator[HTTPConnection]:
    """One that is kept alive over all that is sent."""
    connection = HTTPConnection(daemon.host, daemon.port, timeout=DEADLINE_SECONDS)
    yield connection
    connection.close()


def send(connection: HTTPConnection, wire: str, body: bytes, content_type: str) -> HTTPResponse:
    connection.request("POST", f"/{wire}/", body, {"Content-Type": content_type})
    answer = connection.getresponse()
    answer.read()
    return answer


@many
@given(wires, st.binary(max_size=2000), content_types)
def test_any_body_gets_an_answer(
    connection: HTTPConnection, wire: str, body: bytes, content_type: str
):
    allowed = {"plain": {200}, "json": {200, 400, 401}}
    assert send(connection, wire, body, content_type).status in allowed[wire]


@many
@given(wires, forms)
def test_any_form_gets_an_answer(connection: HTTPConnection, wire: str, form: bytes):
    allowed = {"plain": {200}, "json": {200, 400, 401}}
    assert send(connection, wire, form, "").status in allowed[wire]


headers = st.binary(max_size=60).map(lambda raw: b"X" + raw + b"\r\n")
requests = st.one_of(
    st.binary(max_size=500),
    st.builds(
        lambda method, path, version, lines, body: (
            method + b" " + path + b" HTTP/" + version + b"\r\n" + b"".join(lines) + b"\r\n" + body
        ),
        st.sampled_from([b"POST", b"GET", b"CONNECT", b"OPTIONS", b"PRI"]) | st.binary(max_size=5),
        st.sampled_from([b"/plain/", b"/json/", b"/health", b"*", b"http://x"])
        | st.binary(max_size=30),
        st.sampled_from([b"1.1", b"1.0", b"0.9", b"2", b"3.0"]),
        st.lists(
            headers
            | st.sampled_from(
                [
                    b"Content-Length: 5\r\n",
                    b"Content-Length: 99999\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Connection: Upgrade\r\n",
                    b"Connection: close\r\n",
                    b"Upgrade: h2c\r\n",
                    b"Expect: 100-continue\r\n",
                    b"Expect: \r\n",
                    b"X-Forwarded-For: \xff\r\n",
                    b"Host: \r\n",
                ]
            ),
            max_size=6,
        ),
        st.binary(max_size=200) | st.sampled_from([b"user=", b"5\r\nuser=\r\n0\r\n\r\n"]),
    ),
)


def exchange(connection: socket.socket, where: object, sent: bytes) -> bytes:
    """Send this and no more; return what comes until the other side closes."""
    with connection:
        connection.settimeout(DEADLINE_SECONDS)
        connection.connect(where)
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(100_000), b""))
        except ConnectionError:
            return b""


@many
@given(st.lists(requests, min_size=1, max_size=3))
def test_any_bytes_at_the_http_port_are_answered_or_ended(daemon: Daemon, sent: list[bytes]):
    said = exchange(socket.socket(), (daemon.host, daemon.port), b"".join(sent))
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 5" not in said


messages = st.one_of(
    st.binary(max_size=2000),
    st.builds(
        lambda words, body: b" ".join(words) + b"\n" + body,
        st.lists(
            st.sampled_from([b"cgi", b"admin", b"plain", b"json", b"revoke", b"::1", b"0", b"5"])
            | st.binary(max_size=10),
            max_size=5,
        ),
        st.binary(max_size=50),
    ),
)


@many
@given(messages)
def test_any_bytes_at_the_unix_socket_are_answered_or_ended(daemon: Daemon, message: bytes):
    said = exchange(socket.socket(socket.AF_UNIX), str(daemon.socket_path), message)
    assert said == b"" or said[:4] in (b"200 ", b"400 ", b"403 ")


@pytest.fixture(scope="module", autouse=True)
def nothing_breaks(daemon: Daemon) -> Iterator[None]:
    """And the daemon still does its work after all that."""
    yield
    assert daemon.post(user="alice", password="wonder").granted
    assert "incident" not in daemon.log.text()
