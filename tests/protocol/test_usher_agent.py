"""Our own agent on an X2Go Server and the broker's side of it, over a real SSH connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from agentbox import HOST, SQLITE, USER, Sandbox, lines
from agentserver import AgentServer, Handler, Process, agent_server, running

from usher.agents import usher
from usher.agents.usher import Usher
from usher.errors import Unavailable
from usher.model import Grant, Session, Sight, State, client_at

HELLO = b'{"event":"hello","protocol":1,"version":"0","host":"x","privileged":true,"why":""}\n'
LOAD = b'{"event":"load","load":[0.5,0,0],"cores":2,"memory_mb":100,"available_mb":25}\n'
NONE = b'{"event":"sessions","sessions":[]}\n'
GRANT = Grant(USER, "", 60, client_at("127.0.0.1").address)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Sandbox(Path(name))


@asynccontextmanager
async def installed(folder: Path, handler: Handler) -> AsyncIterator[tuple[AgentServer, Usher]]:
    """A server with an agent, and the plugin that speaks with it."""
    async with agent_server(folder, handler) as host:
        agent = Usher(**host.options)  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            yield host, agent
        await agent._connections.close()


async def seen(agent: Usher, host: AgentServer, wanted: Callable[[Sight], object]) -> Sight:
    """What the agent has told as soon as it is that."""
    while not wanted(sight := await agent.look(host.server)):
        await asyncio.sleep(0.01)
    return sight


def saying(*said: bytes) -> Handler:
    """An agent that says this, and listens until it is hung up on."""

    async def say(process: Process) -> None:
        for line in said:
            process.stdout.write(line)
        await process.stdin.read()

    return say


async def test_load_and_sessions_are_known_without_asking(tmp_path: Path, sandbox: Sandbox):
    sandbox.session(SQLITE)
    async with installed(tmp_path, running(sandbox)) as (host, agent):
        sight = await seen(agent, host, lambda sight: sight.sessions)
        assert sight.load.sessions == 1
        assert sight.load.per_core >= 0
        assert 0 < sight.load.free_memory < 1
        assert sight.load.factor > 0
        (session,) = await agent.sessions(host.server, "alice")
        assert await agent.sessions(host.server, "bob") == []
    assert (session.id, session.state) == ("alice-50-1795414336_stRxterm_dp24", State.RUNNING)
    assert (session.server, session.display, session.fs_port) == ("h1", 50, 56112)


async def test_a_session_that_is_suspended_meanwhile_is_soon_known_to_be(
    tmp_path: Path, sandbox: Sandbox
):
    sandbox.session(SQLITE, "RUNNING")
    async with installed(tmp_path, running(sandbox)) as (host, agent):
        await seen(agent, host, lambda sight: sight.sessions)
        sandbox.state(SQLITE, "SUSPENDED")
        sight = await seen(agent, host, lambda sight: sight.sessions[0].state is State.SUSPENDED)
        assert len(sight.sessions or ()) == 1


async def test_a_key_is_let_in_and_taken_away(tmp_path: Path, sandbox: Sandbox):
    async with installed(tmp_path, running(sandbox)) as (host, agent):
        key = " ".join((tmp_path / "authorized").read_text().split()[:2])
        grant = Grant(USER, key, 60, client_at("127.0.0.1").address)
        await agent.authorize(host.server, grant)
        (line,) = lines(sandbox)
        await agent.withdraw(host.server, grant)
        assert not (sandbox.keys / USER).exists()
    assert line.endswith(key)
    here = 'permitopen="localhost:*",permitopen="127.0.0.1:*"'
    assert line.startswith(f'restrict,port-forwarding,{here},from="127.0.0.1"')


async def test_what_the_agent_refuses_is_refused_with_its_reason(tmp_path: Path, sandbox: Sandbox):
    async with installed(tmp_path, running(sandbox)) as (host, agent):
        with pytest.raises(Unavailable) as refused:
            await agent.authorize(host.server, Grant("root", "ssh-rsa x", 60))
        assert "not what it should be" in refused.value.detail
        missing = Session("alice-9-1795414336_stRxterm_dp24", "alice", HOST, State.RUNNING, 9)
        with pytest.raises(Unavailable) as refused:
            await agent.suspend(host.server, missing)
    assert "no such session" in refused.value.detail


async def test_a_session_may_take_longer_to_suspend_than_an_answer_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(usher, "ANSWER_SECONDS", 0.0)

    async def oblige(process: Process) -> None:
        process.stdout.write(HELLO + LOAD + NONE)
        async for line in process.stdin:
            process.stdout.write(b'{"id":%d,"ok":true}\n' % json.loads(line)["id"])

    async with installed(tmp_path, oblige) as (host, agent):
        await agent.suspend(host.server, Session("alice-9-1", "alice", HOST, State.RUNNING, 9))
        with pytest.raises(TimeoutError):
            await agent.withdraw(host.server, GRANT)


async def test_an_agent_that_ends_is_begun_again(tmp_path: Path):
    async with installed(tmp_path, saying(HELLO, LOAD, NONE)) as (host, agent):
        first = await agent.look(host.server)
        host.hang_up()
        await seen(agent, host, lambda sight: sight is not first)
        assert len(host.commands) == 2


@pytest.mark.parametrize(
    "nonsense",
    [
        b"Welcome to h1!\n",
        b'{"event":"hello","protocol":2,"version":"9","host":"x"}\n',
        b'{"event":"sessions","sessions":[{"id":"x"}]}\n',
        LOAD.replace(b'"cores":2', b'"cores":0'),
        HELLO[:-1] + b" " * 100,
    ],
)
async def test_what_no_agent_of_ours_says_ends_the_dialogue(tmp_path: Path, nonsense: bytes):
    async def say(process: Process) -> None:
        process.stdout.write(nonsense)
        if nonsense.endswith(b"\n"):
            await process.stdin.read()

    async with installed(tmp_path, say) as (host, agent):
        with pytest.raises(ConnectionError, match="h1"):
            await agent.look(host.server)


async def test_what_is_no_session_of_anybody_is_none_of_ours(tmp_path: Path):
    row = (
        b'{"id":"a|b","user":"alice","server":"h1","state":"R","display":1,"agent_pid":1,'
        b'"client":"x","cookie":"x","graphics_port":1,"sound_port":1,"fs_port":1,"started":"x",'
        b'"last":"x","age":1}'
    )
    listed = b'{"event":"sessions","sessions":[' + row + b"]}\n"
    async with installed(tmp_path, saying(HELLO, LOAD, listed)) as (host, agent):
        with pytest.raises(ConnectionError):
            await agent.look(host.server)


async def test_an_agent_without_rights_still_tells_its_load(tmp_path: Path, caplog):
    hello = HELLO.replace(b'true,"why":""', b'false,"why":"sudo is missing"')
    async with installed(tmp_path, saying(hello, LOAD)) as (host, agent):
        sight = await agent.look(host.server)
    assert (sight.load.per_core, sight.load.free_memory, sight.sessions) == (0.25, 0.25, ())
    assert "sudo is missing" in caplog.text


async def test_a_request_that_is_not_answered_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(usher, "ANSWER_SECONDS", 0.05)
    async with installed(tmp_path, saying(HELLO, LOAD, NONE)) as (host, agent):
        with pytest.raises(TimeoutError):
            await agent.withdraw(host.server, GRANT)


async def test_who_waits_behind_a_request_without_an_answer_hears_of_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with installed(tmp_path, saying(HELLO, LOAD, NONE)) as (host, agent):

        async def ask(seconds: float, error: type[OSError]) -> None:
            monkeypatch.setattr(usher, "ANSWER_SECONDS", seconds)
            with pytest.raises(error):
                await agent.withdraw(host.server, GRANT)

        await agent.look(host.server)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask(0.1, TimeoutError))
            tasks.create_task(ask(60.0, ConnectionError))


async def test_a_request_that_the_agent_does_not_survive_fails_at_once(tmp_path: Path):
    async def die(process: Process) -> None:
        process.stdout.write(HELLO + LOAD + NONE)
        await process.stdin.readline()

    async with installed(tmp_path, die) as (host, agent):
        with pytest.raises(ConnectionError):
            await agent.withdraw(host.server, GRANT)


async def test_a_server_that_falls_silent_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with installed(tmp_path, saying(HELLO, LOAD, NONE)) as (host, agent):
        await agent.look(host.server)
        monkeypatch.setattr(usher, "SILENT_SECONDS", -1.0)
        with pytest.raises(TimeoutError, match="silent"):
            await agent.look(host.server)


async def test_a_server_that_falls_silent_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with installed(tmp_path, saying(HELLO, LOAD, NONE)) as (host, agent):
        await agent.look(host.server)
        monkeypatch.setattr(usher, "SILENT_SECONDS", 0.05)
        await agent.news(host.server)
        with pytest.raises(TimeoutError, match="silent"):
            await agent.look(host.server)


async def test_what_is_told_while_nobody_waits_is_news_until_it_has_been_looked_at(tmp_path: Path):
    more = asyncio.Event()

    async def say(process: Process) -> None:
        process.stdout.write(HELLO + LOAD + NONE)
        await more.wait()
        process.stdout.write(LOAD.replace(b"0.5", b"0.7"))
        await process.stdin.read()

    async with installed(tmp_path, say) as (host, agent):
        before = await agent.look(host.server)
        dialogue = agent._lines[host.server].dialogue
        assert dialogue
        more.set()
        while dialogue.sight() is before:
            await asyncio.sleep(0.001)
        await agent.news(host.server)
        assert (await agent.look(host.server)).load.per_core == 0.35
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await agent.news(host.server)
