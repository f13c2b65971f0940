"""The SSH server in the test's own event loop, before a broker that does what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from inprocess import granting
from sshserver import Served, serving

from usher.errors import AuthFailed
from usher.frontends.strangers import MOST_OF_A_SOURCE
from usher.frontends.visit import MOST_ATTEMPTS, MOST_COMMANDS
from usher.model import Credential, Question, Reply, Request, Task, User, Vouched

LIST = "x --task listsessions"


@dataclass
class Slow:
    """A broker that lets everybody in, and then answers only when the test says so."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: Request) -> Reply:
        if request.task is not Task.LOGIN:
            self.asked.set()
            await self.go.wait()
        return await granting(request)


async def test_a_name_that_the_login_has_proved_is_who_asks():
    seen = []

    async def mapping(request: Request) -> Reply:
        seen.append(request.credential)
        return Reply(request.task, User("alice"))

    async with serving(mapping) as server, server.login("ALICE") as connection:
        assert (await connection.run(f"{LIST} --user ALICE")).exit_status == 0
        assert (await connection.run(f"{LIST} --user alice")).exit_status == 0
        assert (await connection.run(f"{LIST} --user Alice")).exit_status == 1
    assert seen[0] == Credential("ALICE", "wonder")
    assert {(type(vouched), vouched.username) for vouched in seen[1:]} == {(Vouched, "alice")}


async def test_a_stop_waits_for_the_answer_and_closes_the_connection_after_it():
    slow = Slow()
    async with serving(slow.handle) as server, server.login() as connection:
        async with server.login() as idle, asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(connection.run(LIST))
            await slow.asked.wait()
            server.stop.set()
            await idle.wait_closed()
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run(LIST)
            with pytest.raises(OSError):
                await server.login()
            slow.go.set()
        assert "Access granted" in asked.result().stdout
        await connection.wait_closed()
        await server.running


async def test_a_client_that_does_not_wait_for_its_answer_holds_nobody_up():
    slow = Slow()
    async with serving(slow.handle) as server:
        async with server.login() as connection:
            await connection.create_process(LIST)
            await slow.asked.wait()
            connection.abort()
        slow.go.set()
        async with server.login() as connection:
            assert (await connection.run(LIST)).exit_status == 0


async def test_too_many_commands_at_once_are_not_begun():
    slow = Slow()
    async with serving(slow.handle) as server, server.login() as connection:
        begun = [await connection.create_process(LIST) for _ in range(MOST_COMMANDS)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run(LIST)
        slow.go.set()
        assert {(await process.wait()).exit_status for process in begun} == {0}
        assert (await connection.run(LIST)).exit_status == 0


async def test_connections_without_a_login_are_few_and_a_login_makes_room():
    async with serving() as server:
        opened = [
            await asyncio.open_connection("127.0.0.1", server.port) for _ in range(MOST_OF_A_SOURCE)
        ]
        for reader, _ in opened:
            assert (await reader.readline()).startswith(b"SSH-2.0-Usher")
        with pytest.raises((OSError, asyncssh.Error)):
            await server.login()
        assert await _greeting(server, "127.0.0.2")
        opened[0][1].close()
        for _ in range(3):
            await (await _soon(server.login)).run(LIST)
        for _, writer in opened:
            writer.close()


async def _greeting(server: Served, source: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=(source, 0))
    try:
        return await reader.readline()
    finally:
        writer.close()


async def _soon(login: Callable[[], Awaitable[Any]]) -> Any:
    """As soon as the server has noticed that there is room."""
    while True:
        try:
            return await login()
        except (OSError, asyncssh.Error):
            await asyncio.sleep(0)


class Guesser(asyncssh.SSHClient):
    """Says one wrong password after another."""

    def __init__(self) -> None:
        self.guesses = 0

    def password_auth_requested(self) -> str:
        self.guesses += 1
        return f"guess {self.guesses}"


async def test_a_connection_may_not_guess_for_ever(monkeypatch: pytest.MonkeyPatch):
    async def refusing(request: Request) -> Reply:
        raise AuthFailed

    monkeypatch.setattr("usher.frontends.strangers.LONGEST_PAUSE_SECONDS", 0.0)
    guesser = Guesser()
    async with serving(refusing) as server:
        with pytest.raises(asyncssh.ConnectionLost):
            await server.login(password=None, client_factory=lambda: guesser)
    assert guesser.guesses == MOST_ATTEMPTS + 1


async def test_a_login_may_ask_over_keyboard_interactive_and_is_refused_without_it():
    async def two_factors(request: Request) -> Reply:
        if isinstance(request.credential, Credential):
            code = await request.credential.answer_to(Question("Code: ", echo=True))
            if (request.credential.password, code) != ("wonder", "123456"):
                raise AuthFailed
        return await granting(request)

    class Typist(asyncssh.SSHClient):
        def kbdint_auth_requested(self) -> str:
            return ""

        def kbdint_challenge_received(self, *challenge: Any) -> list[str]:
            [(prompt, echo)] = challenge[3]
            return [{("Password: ", False): "wonder", ("Code: ", True): "123456"}[prompt, echo]]

    asked = {"preferred_auth": "keyboard-interactive", "client_factory": Typist, "password": None}
    async with serving(two_factors) as server:
        async with server.login(**asked) as connection:
            assert (await connection.run(LIST)).exit_status == 0
        with pytest.raises(asyncssh.PermissionDenied):
            await server.login()


async def test_what_breaks_at_a_login_lets_nobody_in_and_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
):
    async def broken(request: Request) -> Reply:
        raise RuntimeError("a bug")

    async with serving(broken) as server:
        with pytest.raises(asyncssh.PermissionDenied):
            await server.login()
    assert "incident" in caplog.text
    assert "wonder" not in caplog.text


@pytest.mark.parametrize(
    ("options", "let_in"),
    [
        ("", True),
        ('from="127.0.0.0/8",no-pty,command="/bin/false"', True),
        ('from="192.0.2.1"', False),
        ('expiry-time="20990101"', False),
        ("cert-authority", False),
    ],
)
async def test_a_key_counts_as_its_options_say(tmp_path: Path, options: str, let_in: bool):
    tmp_path.chmod(0o755)
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "alice").write_text(f"{options} {key.export_public_key().decode()}".strip())
    (tmp_path / "alice").chmod(0o644)
    by_key = {"client_keys": [key], "preferred_auth": "publickey", "password": None}
    async with serving(keys=tmp_path) as server:
        if let_in:
            async with server.login(**by_key) as connection:
                assert (await connection.run(LIST)).exit_status == 0
        else:
            with pytest.raises(asyncssh.PermissionDenied):
                await server.login(**by_key)


async def test_a_file_of_keys_that_others_can_write_to_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    tmp_path.chmod(0o755)
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_public_key(tmp_path / "alice")
    (tmp_path / "alice").chmod(0o666)
    async with serving(keys=tmp_path) as server:
        with pytest.raises(asyncssh.PermissionDenied):
            await server.login(client_keys=[key], preferred_auth="publickey", password=None)
    assert "others can write to it" in caplog.text
