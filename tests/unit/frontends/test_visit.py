"""Questions to whoever logs in by SSH, and when that is enough."""

from __future__ import annotations

import asyncssh
import pytest
from inprocess import granting
from sshserver import serving

from usher.errors import AuthFailed
from usher.frontends.visit import MOST_QUESTIONS
from usher.model import Credential, Question, Reply, Request


async def curious(request: Request) -> Reply:
    """Wants a code as well."""
    assert isinstance(request.credential, Credential)
    if await request.credential.answer_to(Question("Verification code: ")) != "123456":
        raise AuthFailed
    return await granting(request)


class Talker(asyncssh.SSHClient):
    """Answers questions in turn, and begins anew when that was no good."""

    def __init__(self, *codes: str) -> None:
        self.left = [*codes]

    def kbdint_auth_requested(self) -> str:
        return ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: list[tuple[str, bool]]
    ) -> list[str]:
        return ["wonder" if prompts[0][0] == "Password: " else self.left.pop(0)]


INTERACTIVE = {"password": None, "preferred_auth": "keyboard-interactive"}


async def test_who_answers_a_question_wrong_may_begin_anew():
    talker = Talker("wrong", "wrong", "123456")
    async with serving(curious) as server:
        await server.login(client_factory=lambda: talker, **INTERACTIVE)


@pytest.mark.parametrize("codes", [["wrong"] * MOST_QUESTIONS, [""]])
async def test_who_fails_too_often_or_says_nothing_is_left_without_a_word(codes: list[str]):
    talker = Talker(*codes, "123456")
    async with serving(curious) as server:
        with pytest.raises(asyncssh.ConnectionLost):
            await server.login(client_factory=lambda: talker, **INTERACTIVE)
    assert talker.left == ["123456"]


async def test_x2goclient_is_offered_no_way_on_which_it_would_be_stuck():
    libssh = {"client_version": "libssh_0.10.6"}
    async with serving() as server:
        await server.login(client_factory=Talker, **INTERACTIVE, **libssh)
        with pytest.raises(asyncssh.PermissionDenied):
            await server.login(**libssh)
