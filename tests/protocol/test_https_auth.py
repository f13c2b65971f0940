"""Basic authentication at a real web server with TLS, on its good and its bad days."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from usher.auth.https import Https
from usher.errors import AuthFailed
from usher.model import Credential, client_at

HERE = client_at("192.0.2.1")
MAJA = Credential("maja", "sesam öffne dich")


class Front(BaseHTTPRequestHandler):
    """Answers with the status in ``/status/NNN``; elsewhere it lets in whom it knows."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"]))
        if self.path.startswith("/redirect"):
            self.answer(302, Location="/status/200")
        elif self.path.startswith("/status/"):
            self.answer(int(self.path.rpartition("/")[2]))
        elif self.path.startswith("/hang"):
            assert self.server.released.wait(20)
            self.answer(200)
        else:
            pair = b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            self.answer(204 if pair == f"{MAJA.username}:{MAJA.password}" else 401)

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Web(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Front)
        self.asked: list[tuple[str, str]] = []
        self.released = threading.Event()
        self.url = f"{'https' if tls else 'http'}://localhost:{self.server_port}"
        self._tls = tls

    def finish_request(self, request, client_address) -> None:
        """Shakes hands in the thread of the request, so that a bad client holds up nobody."""
        if self._tls:
            request = self._tls.wrap_socket(request, server_side=True)
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        pass


@contextmanager
def serving(tls: ssl.SSLContext | None) -> Iterator[Web]:
    with Web(tls) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield web
        finally:
            web.released.set()
            web.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def web(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with serving(context) as web:
        yield web


async def test_who_gets_in_there_gets_in_here(web, ca):
    assert await Https(url=web.url, ca=ca).authenticate(MAJA, HERE) == "maja"
    assert web.asked == [("/", f"localhost:{web.server_port}")]


async def test_path_and_query_are_asked_for_as_configured(web, ca):
    await Https(url=f"{web.url}/check?realm=x2go", ca=ca).authenticate(MAJA, HERE)
    assert web.asked[0][0] == "/check?realm=x2go"


@pytest.mark.parametrize("status", [200, 204, 299])
async def test_every_2xx_is_a_yes(web, ca, status):
    https = Https(url=f"{web.url}/status/{status}", ca=ca)
    assert await https.authenticate(Credential("willi", "x"), HERE) == "willi"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_there_is_a_refusal_here(web, ca, status):
    with pytest.raises(AuthFailed) as refusal:
        await Https(url=f"{web.url}/status/{status}", ca=ca).authenticate(MAJA, HERE)
    assert str(status) in refusal.value.detail


@pytest.mark.parametrize("status", [301, 400, 404, 407, 418, 429, 500, 503])
async def test_any_other_status_says_neither_yes_nor_no(web, ca, status):
    with pytest.raises(OSError, match=str(status)):
        await Https(url=f"{web.url}/status/{status}", ca=ca).authenticate(MAJA, HERE)


async def test_a_redirection_is_not_followed_with_the_password(web, ca):
    with pytest.raises(OSError, match="302"):
        await Https(url=f"{web.url}/redirect", ca=ca).authenticate(MAJA, HERE)
    assert len(web.asked) == 1


async def test_a_certificate_of_an_unknown_authority_gets_no_password(web):
    with pytest.raises(OSError, match=f"^{web.url} cannot be asked: .*certificate.*: set ca$"):
        await Https(url=web.url).authenticate(MAJA, HERE)
    assert not web.asked


async def test_a_certificate_of_another_host_gets_no_password(authority, ca):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example.org").configure_cert(context)
    with serving(context) as web, pytest.raises(OSError, match="asked: Hostname mismatch.*[^a]$"):
        await Https(url=web.url, ca=ca).authenticate(MAJA, HERE)
    assert not web.asked


async def test_plain_http_will_do_on_this_machine():
    with serving(None) as web:
        assert await Https(url=web.url).authenticate(MAJA, HERE) == "maja"


async def test_a_server_that_is_gone_says_neither_yes_nor_no(ca):
    with serving(None) as web:
        gone = web.url
    with pytest.raises(OSError, match=f"^{gone} cannot be asked: Connection refused$"):
        await Https(url=gone, ca=ca).authenticate(MAJA, HERE)


async def test_what_is_no_web_server_says_neither_yes_nor_no():
    async def garble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(garble, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(OSError, match=f"^{url} cannot be asked: 220 mail"):
            await Https(url=url).authenticate(MAJA, HERE)


async def test_a_server_that_hangs_is_given_up_after_the_timeout(web, ca):
    with pytest.raises(OSError, match="/hang cannot be asked: no answer within 0.2 seconds"):
        await Https(url=f"{web.url}/hang", ca=ca, timeout=0.2).authenticate(MAJA, HERE)


async def test_a_server_that_hangs_for_some_does_not_hold_up_the_others(web, ca):
    hanging = Https(url=f"{web.url}/hang", ca=ca)
    quick = Https(url=web.url, ca=ca)
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(hanging.authenticate(MAJA, HERE)) for _ in range(5)]
        assert await quick.authenticate(MAJA, HERE) == "maja"
        assert not any(task.done() for task in waiting)
        web.released.set()
    assert {task.result() for task in waiting} == {"maja"}


@pytest.mark.parametrize("path", ["/", "/status/500"])
async def test_neither_name_nor_password_is_told_to_a_log(web, ca, path, caplog):
    caplog.set_level("DEBUG")
    secret = Credential("Xaver-Unique", "geheim-unique")
    with pytest.raises((AuthFailed, OSError)) as failure:
        await Https(url=web.url + path, ca=ca).authenticate(secret, HERE)
    told = caplog.text + repr(failure.value) + getattr(failure.value, "detail", "")
    assert "unique" not in told.lower()
