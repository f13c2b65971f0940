"""x2goclient with one-time codes and other questions, at the built-in SSH server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon, running
from e2e.desktop import Desktop
from e2e.offer import NAMES, profiles
from e2e.x2goclient import X2GOCLIENT, X2goClient, x2goclient
from phone import TOTP, Phone, enroll

NEEDS = X2GOCLIENT

CODE = "Verification code:"

BADGE = """\
from usher.errors import AuthFailed
from usher.model import Question

class Badge:
    async def authenticate(self, credential, client):
        if await credential.answer_to(Question("PIN of your badge: ")) != "4711":
            raise AuthFailed
        return credential.username
"""


class Entrance:
    """A broker that asks alice for a code, and what it has refused."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        port = daemon.log.wait_for(r"^usher: ready on .* ssh://127\.0\.0\.1:(\d+)$")[1]
        self.url = f"ssh://alice@127.0.0.1:{port}/usher"

    def refused(self, times: int) -> None:
        """Wait for so many refusals."""
        self.daemon.log.wait_for("(?s)" + "refused 'alice'.*" * times)


@pytest.fixture
def entrance(tmp_path: Path) -> Iterator[Entrance]:
    with running(tmp_path, profiles=profiles(22), authenticator=TOTP, ssh={"port": 0}) as daemon:
        yield Entrance(daemon)


@pytest.fixture
def badge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that somebody has installed, which asks a question of its own."""
    info = tmp_path / "badge-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: badge\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[usher.authenticator]\nbadge = badge:Badge\n")
    (tmp_path / "badge.py").write_text(BADGE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture
def phone(entrance: Entrance) -> Phone:
    return enroll(entrance.daemon, "alice")


def type_code(client: X2goClient, code: str) -> None:
    """Answer the dialog that asks for it."""
    client.see(CODE)
    client.until("a dialog to type in", lambda: any(t.focused for t in client.desktop.look()))
    client.desktop.type(code)
    client.desktop.press("Return")


def test_shows_a_dialog_for_the_code_and_lists_the_profiles(
    screen: Desktop, entrance: Entrance, phone: Phone
) -> None:
    with x2goclient(screen, entrance.url) as client:
        client.login("wonder")
        type_code(client, phone.code())
        assert client.names() == set(NAMES.values())


def test_a_wrong_code_gets_a_second_chance(
    screen: Desktop, entrance: Entrance, phone: Phone
) -> None:
    with x2goclient(screen, entrance.url) as client:
        client.login("wonder")
        type_code(client, "wrong")
        entrance.refused(1)
        type_code(client, phone.code())
        assert client.names() == set(NAMES.values())


def test_after_three_wrong_codes_the_login_form_is_back(
    screen: Desktop, entrance: Entrance, phone: Phone
) -> None:
    with x2goclient(screen, entrance.url) as client:
        client.login("wrong")
        for time in (1, 2, 3):
            type_code(client, phone.code())
            entrance.refused(time)
        screen.click(client.see("OK"))
        client.login("wonder")
        type_code(client, phone.code())
        assert client.names() == set(NAMES.values())


def test_whoever_cancels_the_dialog_is_back_at_the_login_form(
    screen: Desktop, entrance: Entrance, phone: Phone
) -> None:
    with x2goclient(screen, entrance.url) as client:
        client.login("wonder")
        client.see(CODE)
        screen.click(client.see("Cancel"))
        screen.click(client.see("OK"))
        client.login("wonder")
        type_code(client, phone.code())
        assert client.names() == set(NAMES.values())


def test_takes_password_and_code_in_one_where_nobody_asks(
    screen: Desktop, entrance: Entrance, phone: Phone
) -> None:
    url = entrance.daemon.url.replace("://", "://alice@") + "plain/"
    with x2goclient(screen, url) as client:
        client.login("wonder" + phone.code())
        assert client.names() == set(NAMES.values())


@pytest.mark.usefixtures("badge")
def test_shows_any_other_question_in_a_terminal(screen: Desktop, tmp_path: Path) -> None:
    badge = {"type": "badge"}
    with (
        running(tmp_path, profiles=profiles(22), authenticator=badge, ssh={"port": 0}) as daemon,
        x2goclient(screen, Entrance(daemon).url) as client,
    ):
        client.login("wonder")
        client.see("Terminal output:")
        client.until("a place to type", lambda: any(t.focused for t in screen.look()))
        screen.type("4711")
        screen.press("Return")
        assert client.names() == set(NAMES.values())
