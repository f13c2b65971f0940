"""A login by keyboard-interactive: questions and answers, turn by turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from usher.model import Ask, Question

Challenge = tuple[str, str, str, list[tuple[str, bool]]]
"""A title, a text, its language, and prompts; whether what is typed may be seen."""

PASSWORD = Question("Password: ")
"""x2goclient answers this one by itself."""


_deadly = re.compile("challenge", re.IGNORECASE)
"""At this word, x2goclient shows nothing and locks its window for good."""


class Conversation:
    """The login asks on one side, in ``run``; the client answers on the other.

    ``prove``: is that their password? It may ask for more: ``questions`` says how often it has,
    and ``given_up`` whether one was answered with nothing, as x2goclient does when it is cancelled.
    """

    def __init__(self, prove: Callable[[str, Ask], Awaitable[bool]]) -> None:
        self._prove = prove
        self._next: asyncio.Future[Challenge | bool] = _future()
        self._answer: asyncio.Future[str] | None = None
        self.questions = 0
        self.given_up = False

    async def run(self) -> None:
        """The login, which waits for answers until somebody cancels it."""
        self._tell(await self._prove(await self._put(PASSWORD), self._ask))

    async def begin(self) -> Challenge | bool:
        """The first question."""
        return await self._next

    async def go_on(self, answers: Sequence[str]) -> Challenge | bool:
        """The next question, or how the login has ended."""
        if len(answers) != 1 or not self._answer or self._answer.done():
            return False
        self._next = _future()
        self._answer.set_result(answers[0])
        return await self._next

    async def _ask(self, question: Question) -> str:
        self.questions += 1
        answer = await self._put(question)
        self.given_up = not answer
        return answer

    async def _put(self, question: Question) -> str:
        self._answer = _future()
        self._tell(("", "", "", [(_deadly.sub("question", question.text), question.echo)]))
        return await self._answer

    def _tell(self, news: Challenge | bool) -> None:
        if not self._next.done():  # as it is when the client has begun another login instead
            self._next.set_result(news)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()
