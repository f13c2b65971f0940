"""Questions and answers take turns, whatever the client sends and the login asks."""

from __future__ import annotations

import asyncio

from usher.frontends.conversation import Challenge, Conversation
from usher.model import Ask, Question


def asking(text: str, echo: bool = False) -> Challenge:
    return "", "", "", [(text, echo)]


async def wonder(password: str, ask: Ask) -> bool:
    return password == "wonder"


async def code_too(password: str, ask: Ask) -> bool:
    return await ask(Question("Code: ", echo=True)) == "123456" and password == "wonder"


async def test_without_a_question_the_password_decides():
    for password, let_in in (("wonder", True), ("wrong", False)):
        talk = Conversation(wonder)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk.run())
            assert await talk.begin() == asking("Password: ")
            assert await talk.go_on([password]) is let_in


async def test_a_login_may_ask_for_more():
    talk = Conversation(code_too)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk.run())
        await talk.begin()
        assert await talk.go_on(["wonder"]) == asking("Code: ", echo=True)
        assert await talk.go_on(["123456"]) is True
    assert (talk.questions, talk.given_up) == (1, False)


async def test_it_is_known_who_has_given_up():
    talk = Conversation(code_too)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk.run())
        await talk.begin()
        await talk.go_on(["wonder"])
        assert await talk.go_on([""]) is False
    assert talk.given_up


async def test_answers_that_nobody_waits_for_end_nothing_well():
    talk = Conversation(code_too)
    assert await talk.go_on(["too early"]) is False
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk.run())
        await talk.begin()
        assert await talk.go_on([]) is False
        assert await talk.go_on(["wonder", "123456"]) is False
        two = asyncio.gather(talk.go_on(["wonder"]), talk.go_on(["wonder"]))
        assert await two == [asking("Code: ", echo=True), False]
        assert await talk.go_on(["123456"]) is True
        assert await talk.go_on(["123456"]) is False


async def test_a_login_may_end_when_the_client_has_begun_another_instead():
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(password: str, ask: Ask) -> bool:
        reached.set()
        return await go.wait()

    talk = Conversation(slow)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk.run())
        await talk.begin()
        turn = tasks.create_task(talk.go_on(["wonder"]))
        await reached.wait()
        turn.cancel()
        go.set()


async def test_no_question_has_the_word_that_x2goclient_does_not_survive():
    async def radius(password: str, ask: Ask) -> bool:
        return await ask(Question("Challenge 17, or no challenge: ")) == "42"

    talk = Conversation(radius)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk.run())
        await talk.begin()
        assert await talk.go_on(["wonder"]) == asking("question 17, or no question: ")
        assert await talk.go_on(["42"]) is True
