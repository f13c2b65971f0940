"""What every authenticator promises that knows passwords (``none`` knows none)."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64decode
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import argon2
import pytest
import real_pam
from fakes import FakeStore

from usher.auth.htpasswd import Htpasswd
from usher.auth.https import Https
from usher.auth.pam import Pam
from usher.auth.static import Static
from usher.auth.totp import Totp
from usher.errors import AuthFailed
from usher.model import Credential, client_at
from usher.ports import Authenticator

HERE = client_at("192.0.2.1")

USERS = {
    "maja": "secret",
    "jürgen müller": "sesam öffne dich",
    "blank": " two words ",
    "colon": "a:b:c",
    "quotes": "\"'`$(id)\\n%41&+=",
    "cjk": "密码パスワード",
    "long": "x" * 199 + "y",
    "long-umlauts": "ü" * 199 + "ö",
}


@asynccontextmanager
async def static(folder):
    yield Static(users=USERS)


@asynccontextmanager
async def htpasswd(folder):
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    lines = [f"{name}:{cheap.hash(password)}\n" for name, password in USERS.items()]
    (folder / "users").write_text("".join(lines), encoding="utf-8")
    yield Htpasswd(path=folder / "users")


@asynccontextmanager
async def pam(folder):
    async with real_pam.running(folder, real_pam.JUDGED, USERS) as helper:
        yield Pam(socket=helper.socket)


@asynccontextmanager
async def https(folder):
    with Web(("127.0.0.1", 0), Front) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Https(url=f"http://127.0.0.1:{web.server_port}/")
        web.shutdown()
        thread.join()


@asynccontextmanager
async def totp(folder):
    yield Totp(inner=Static(users=USERS), store=FakeStore(), required=False)


class Web(ThreadingHTTPServer):
    request_queue_size = 64


class Front(BaseHTTPRequestHandler):
    """A web server that knows the users."""

    def do_GET(self) -> None:
        pair = b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        name, _, password = pair.partition(":")
        known = name in USERS and USERS[name] == password
        self.send_response(200 if known else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[static, htpasswd, pam, https, totp], ids=lambda make: make.__name__)
async def authenticator(request, tmp_path):
    """Knows USERS and nobody else."""
    async with request.param(tmp_path) as authenticator:
        yield authenticator


async def refused(authenticator: Authenticator, name: str, password: str) -> bool:
    try:
        await authenticator.authenticate(Credential(name, password), HERE)
    except AuthFailed as refusal:
        return str(refusal) == "Login failed." and bool(refusal.detail)
    return False


async def test_it_fits_the_port(authenticator):
    assert isinstance(authenticator, Authenticator)


async def test_the_right_password_proves_the_name(authenticator):
    for name, password in USERS.items():
        assert await authenticator.authenticate(Credential(name, password), HERE) == name


async def test_a_wrong_password_is_refused_and_the_log_knows_why(authenticator):
    for name, password in USERS.items():
        for wrong in (password + "!", password[:-1], password.upper() + "x", f" {password} ", "\n"):
            assert await refused(authenticator, name, wrong), (name, wrong)


@pytest.mark.parametrize("name", ["mallory", "MAJA", "maja ", "maja\0", "ma:ja", "../maja", "*"])
async def test_an_unknown_user_is_refused_even_with_somebodys_password(authenticator, name):
    assert await refused(authenticator, name, USERS["maja"])


@pytest.mark.parametrize("name", ["", "maja", "mallory"])
async def test_an_empty_password_lets_nobody_in(authenticator, name):
    assert await refused(authenticator, name, "")


async def test_an_empty_name_lets_nobody_in(authenticator):
    assert await refused(authenticator, "", "secret")


@pytest.mark.parametrize("password", ["secret\0", "secret\0more", "\0", "x" * 60_000])
async def test_a_nul_or_a_huge_password_lets_nobody_in(authenticator, password):
    assert await refused(authenticator, "maja", password)


async def test_an_authid_of_somebody_else_does_not_matter(authenticator):
    credential = Credential("maja", "secret", authid="foreign")
    assert await authenticator.authenticate(credential, HERE) == "maja"
    with pytest.raises(AuthFailed):
        await authenticator.authenticate(Credential("maja", authid="foreign"), HERE)


async def test_everybody_gets_their_own_answer_when_many_ask_at_once(authenticator):
    async def verdict(name: str, password: str) -> str:
        if await refused(authenticator, name, password):
            return "refused"
        return await authenticator.authenticate(Credential(name, password), HERE)

    right = [(name, password) for name, password in USERS.items()]
    wrong = [(name, password + "!") for name, password in USERS.items()]
    verdicts = await asyncio.gather(*(verdict(*pair) for pair in (*right, *wrong)))
    assert verdicts == [*USERS, *["refused"] * len(wrong)]
