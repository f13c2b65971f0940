"""The last line of every front-end: an answer, whatever happens."""

from __future__ import annotations

import asyncio
import re

import pytest
from inprocess import FORM, granting

from usher.errors import AuthFailed, BadRequest, BrokerError
from usher.frontends import boundary
from usher.frontends.boundary import answer, incident
from usher.model import Credential, Question, Reply, Request, Task, client_at
from usher.model.people import CANNOT_ASK
from usher.wire import json, plain
from usher.wire.answer import Wire

HERE = client_at("192.0.2.1")
WIRES = pytest.mark.parametrize("wire", [plain, json], ids=["plain", "json"])


def failing(error: Exception):
    """A broker that fails in this way."""

    async def handle(request: Request) -> Reply:
        raise error

    return handle


@WIRES
async def test_what_the_broker_replies_is_written(wire: Wire):
    made = await answer(granting, wire, FORM, HERE)
    assert made == wire.write(await granting(wire.read(FORM, HERE)))


@WIRES
@pytest.mark.parametrize("error", [AuthFailed(detail="of this"), BrokerError(), BadRequest()])
async def test_a_refusal_is_told_to_the_client_and_its_reason_to_the_log(
    wire: Wire, error: BrokerError, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("INFO"):
        made = await answer(failing(error), wire, FORM, HERE)
    assert made == wire.refuse(Task.LOGIN, error)
    assert [record.getMessage() for record in caplog.records] == [
        f"refused 'alice' at 192.0.2.1: {error.reason}: {error.detail or error}"
    ]


@WIRES
@pytest.mark.parametrize("error", [ValueError("secret"), OSError("secret"), TimeoutError()])
async def test_of_a_bug_the_client_learns_only_where_the_log_explains_it(
    wire: Wire, error: Exception, caplog: pytest.LogCaptureFixture
):
    made = await answer(failing(error), wire, FORM, HERE)
    [record] = caplog.records
    number = re.findall(r"incident (\w+), asked by 'alice' at 192.0.2.1", record.getMessage())[0]
    logged = record.exc_info[1] if record.exc_info else record.getMessage()
    assert logged == error or str(logged).endswith(": secret")
    assert isinstance(error, OSError) or record.exc_info
    assert number.encode() in made.body
    assert b"secret" not in made.body
    assert b"Access granted" not in made.body


@WIRES
async def test_a_form_that_cannot_be_read_never_reaches_the_broker(wire: Wire):
    made = await answer(failing(AssertionError()), wire, b"user=a&user=b", HERE)
    assert made == wire.refuse(Task.LOGIN, BadRequest())


async def test_a_broken_selection_keeps_the_window_open():
    made = await answer(failing(KeyError()), plain, b"task=selectsession", HERE)
    assert made == plain.fail(Task.SELECT, "")


def test_no_two_incidents_share_a_number():
    assert len({incident(ValueError(), "somebody") for _ in range(50)}) == 50


@WIRES
async def test_nobody_waits_for_a_plugin_that_never_answers(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    async def never(request: Request) -> Reply:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    monkeypatch.setattr(boundary, "PATIENCE_SECONDS", 0.01)
    made = await answer(never, wire, FORM, HERE)
    assert b"incident" in made.body


@WIRES
async def test_a_login_with_a_question_is_refused_where_nobody_can_be_asked(wire: Wire):
    async def curious(request: Request) -> Reply:
        assert isinstance(request.credential, Credential)
        await request.credential.answer_to(Question("PIN?"))
        return Reply(request.task)

    made = await answer(curious, wire, FORM, HERE)
    assert made == wire.refuse(Task.LOGIN, AuthFailed(CANNOT_ASK))
