"""The agents of real farms, over a real SSH connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import pytest
from agentserver import AgentServer, Process, agent_server, saying
from fakes import FakeStore
from msgspec.structs import replace

from usher.agents import connections
from usher.agents.ssh import Ssh
from usher.errors import Unavailable
from usher.model import Load, Server, Session, State

LISTING = (
    b"OK\n369|alice-50-1795369332_stRxterm_dp24|50|h1|S|2026-11-22T17:42:12"
    b"|b92e99694708b6529e248aabf9e641df|10.83.0.3|58542|58543|2026-11-22T17:46:27|alice|260"
    b"|58544|-1|-1\n"
)
ANSWERS = {
    "root checkload": b"OK\nloadavgXX:108\nmemAvail:23335\nmyMemAvail:23417\nnumCPU:2\n"
    b"typeCPU:2597\n",
    "alice listsessions": LISTING,
    "bob listsessions": b"OK\n",
}
ALICE = Session(
    id="alice-50-1795369332_stRxterm_dp24",
    user="alice",
    server="h1",
    state=State.SUSPENDED,
    display=50,
    agent_pid=369,
    client="10.83.0.3",
    cookie="b92e99694708b6529e248aabf9e641df",
    graphics_port=58542,
    sound_port=58543,
    fs_port=58544,
    started="2026-11-22T17:42:12",
    last="2026-11-22T17:46:27",
    age=260,
)


@asynccontextmanager
async def existing(
    folder: Path, answers: dict[str, bytes] = ANSWERS, noise: bytes = b"", **options: object
) -> AsyncIterator[tuple[AgentServer, Ssh]]:
    """An existing agent, and the plugin that asks it."""
    async with agent_server(folder, saying(answers, noise)) as host:
        agent = Ssh(store=FakeStore(), **host.options | options)  # type: ignore[arg-type]
        async with asyncio.timeout(20):
            yield host, agent
        await agent._connections.close()


async def test_the_existing_agent_is_called_byte_for_byte_as_it_always_was(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        assert await agent.sessions(host.server, "alice") == [ALICE]
    assert host.commands == ["sh -c '/usr/lib/x2go/x2gobroker-agent alice listsessions'"]


async def test_sessions_that_come_some_time_after_the_ok_are_heard(tmp_path: Path):
    async def say(process: Process) -> None:
        for part in LISTING.splitlines(keepends=True):
            process.stdout.write(part)
            await asyncio.sleep(0.1)

    async with agent_server(tmp_path, say) as host:
        agent = Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]
        assert await agent.sessions(host.server, "alice") == [ALICE]
        await agent._connections.close()


async def test_a_session_of_a_postgresql_farm_is_the_same_session(tmp_path: Path):
    line = LISTING.replace(b"f641df|", b"f641df |").replace(b"|-1|-1\n", b"\n")
    async with existing(tmp_path, ANSWERS | {"alice listsessions": line}) as (host, agent):
        assert await agent.sessions(host.server, "alice") == [ALICE]


async def test_its_load_is_asked_for_now_and_then_over_one_connection(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        sights = [await agent.look(host.server) for _ in range(3)]
        assert len(set(host.connections)) == 1
    assert sights[0].load == Load(per_core=1.07 / 2, factor=112224)
    assert sights[0].sessions is None
    assert len(host.commands) == 1


async def test_noise_beside_an_answer_is_no_failure(tmp_path: Path):
    async with existing(tmp_path, noise=b"perl: warning: no locale\n") as (
        host,
        agent,
    ):
        assert await agent.sessions(host.server, "alice") == [ALICE]
        assert await agent.sessions(host.server, "bob") == []


async def test_a_user_that_the_server_does_not_know_has_no_sessions(tmp_path: Path):
    async with existing(tmp_path, noise=b"operation on system user: root\n") as (host, agent):
        assert await agent.sessions(host.server, "root") == ()


@pytest.mark.parametrize("name", ["a;reboot", "a'b", "$(id)", "-rf", "a b", "", "jürgen", "a\nb"])
async def test_a_name_that_no_account_can_have_is_no_part_of_a_command(tmp_path: Path, name: str):
    async with existing(tmp_path) as (host, agent):
        assert await agent.sessions(host.server, name) == ()
    assert host.commands == []


@pytest.mark.parametrize("nonsense", [b"OK\nx|y\n", b"OK\n" + LISTING[3:].replace(b"|", b"||")])
async def test_what_cannot_be_read_is_no_list_of_sessions(tmp_path: Path, nonsense: bytes):
    async with existing(tmp_path, {"alice listsessions": nonsense}) as (host, agent):
        with pytest.raises(ValueError, match="x2golistsessions"):
            await agent.sessions(host.server, "alice")


async def test_a_load_that_is_no_answer_is_told_as_it_came(tmp_path: Path):
    async with existing(tmp_path, {}, b"sh: 1: not found\n") as (host, agent):
        with pytest.raises(Unavailable) as refused:
            await agent.look(host.server)
    assert "not found" in refused.value.detail


async def test_it_cannot_suspend(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        with pytest.raises(Unavailable):
            await agent.suspend(host.server, ALICE)


async def test_a_lost_connection_is_made_again(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        await agent.sessions(host.server, "alice")
        connection = await agent._connections.to(host.server)
        host.hang_up()
        await connection.wait_closed()
        assert await agent.sessions(host.server, "alice") == [ALICE]


async def test_many_questions_at_once_are_asked_four_at_a_time(tmp_path: Path):
    open_now, most = 0, 0

    async def count(process: Process) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await process.stdin.read()  # until the other side has no more to say
        await asyncio.sleep(0)
        process.stdout.write(b"OK\n")
        open_now -= 1

    async with agent_server(tmp_path, count) as host, asyncio.timeout(20):
        agent = Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]
        await asyncio.gather(*(agent.sessions(host.server, f"user{n}") for n in range(20)))
        await agent._connections.close()
    assert len(host.commands) == 20
    assert most <= 4


async def test_a_server_with_another_host_key_is_not_talked_to(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        host.trust(asyncssh.generate_private_key("ssh-ed25519"))
        with pytest.raises(ConnectionError, match="usher hosts trust h1"):
            await agent.look(host.server)


async def test_the_file_of_known_hosts_is_believed_as_it_is_now(tmp_path: Path):
    file = tmp_path / "known_hosts"
    async with existing(tmp_path) as (host, agent):
        right = file.read_text()
        for text, why in (("", "usher hosts trust h1"), ("nonsense", "known_hosts cannot be read")):
            await agent._connections.to(host.server)
            await agent._connections.close()
            file.write_text(text)
            with pytest.raises(ConnectionError, match=why):
                await agent._connections.to(host.server)
            agent._connections._entries.clear()  # or it would be left in peace for a second
            file.write_text(right)


async def test_a_key_that_is_not_let_in_is_told_with_its_remedy(tmp_path: Path):
    async with existing(tmp_path) as (host, _):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "id")
        stranger = Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]
        with pytest.raises(ConnectionError, match="usher hosts install h1"):
            await stranger.look(host.server)


async def test_a_server_that_is_not_there_is_not_tried_again_at_once(tmp_path: Path):
    async with existing(tmp_path) as (host, agent):
        nobody = replace(host.server, name="h2")
        assert host.acceptor
        host.acceptor.close()
        await host.acceptor.wait_closed()
        reasons = set()
        for _ in range(2):
            with pytest.raises(ConnectionError) as failed:
                await agent.look(nobody)
            reasons.add(str(failed.value))
        assert len(reasons) == 1
        assert agent._connections._entries[nobody].failures == 1


@asynccontextmanager
async def black_hole() -> AsyncIterator[Server]:
    """A server whose queue of connections is full: the next one waits for an answer in vain."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = stack.enter_context(socket.create_connection(listening.getsockname()))
        server = Server("h0", *waiting.getpeername())
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    another = stack.enter_context(socket.socket())
                    another.setblocking(False)
                    await loop.sock_connect(another, listening.getsockname())
        yield server


async def test_a_server_that_says_nothing_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "AT_ONCE", 1)
    async with (
        black_hole() as dead,
        existing(tmp_path) as (host, agent),
        asyncio.TaskGroup() as tasks,
    ):
        vain = tasks.create_task(agent.look(dead))
        assert await agent.look(host.server)
        assert not vain.done()
        vain.cancel()


@pytest.mark.parametrize("missing", ["id", "known_hosts"])
async def test_what_it_cannot_begin_without_is_told_at_the_start(tmp_path: Path, missing: str):
    async with agent_server(tmp_path, saying({})) as host:
        (tmp_path / missing).unlink()
        with pytest.raises(OSError, match=missing):
            Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["x2gobroker-agent", "/usr/bin/x;id", "/a b", "/a'b"])
async def test_a_command_that_is_no_plain_path_is_refused_at_the_start(
    tmp_path: Path, command: str
):
    async with agent_server(tmp_path, saying({})) as host:
        with pytest.raises(ValueError, match="no path"):
            Ssh(store=FakeStore(), **host.options, command=command)  # type: ignore[arg-type]
