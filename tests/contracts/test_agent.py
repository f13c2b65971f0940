"""What every agent promises, and the fake that plays one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from agentbox import USER, Sandbox
from agentserver import Process, agent_server, running, saying, writing
from fakes import FakeAgent, FakeStore

from usher.agents.mixed import Mixed
from usher.agents.none import NoAgent
from usher.agents.simulated import Simulated, SimulatedFarm
from usher.agents.ssh import Ssh
from usher.agents.usher import Usher
from usher.errors import Unavailable
from usher.model import Grant, Load, Server, Session, Sight, State, client_at
from usher.ports import Agent

WELL, DEAD, LATE = (Server(name, f"{name}.example.org") for name in ("well", "dead", "late"))
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB2zTjYIPOUKBLaPY4+6BbdBLBuuJmjg3fpdNVwnQAzV"
GRANT = Grant(USER, ED25519, 60, client_at("127.0.0.1").address)
SESSION = Session("alice-50-1795369332_stRxterm_dp24", "alice", "well", State.RUNNING, 50)
LOAD = b"OK\nloadavgXX:108\nmemAvail:23335\nmyMemAvail:23417\nnumCPU:2\ntypeCPU:2597\n"


@dataclass
class Desk:
    """An agent, and servers of all kinds."""

    agent: Agent
    well: Server = WELL
    dead: Server = DEAD
    late: Server = LATE


Made = AbstractAsyncContextManager[Desk]
Make = Callable[[Path], Made]


def without_servers(make: Callable[[], Agent]) -> Make:
    """An agent for which names of servers will do."""

    @asynccontextmanager
    async def made(folder: Path) -> AsyncIterator[Desk]:
        yield Desk(make())

    return made


def fake() -> FakeAgent:
    agent = FakeAgent()
    agent.loads["well"] = Load(sessions=3, per_core=0.4)
    agent.down.add("dead")
    agent.slow.add("late")
    return agent


def simulated() -> Simulated:
    farm = SimulatedFarm(dying={"dead"})
    start = next(second for second in range(60) if not farm.moment("dead", second).up)
    return Simulated(start=start, slow=["late"], dying=["dead"])


def mixed() -> Mixed:
    nobody = FakeAgent()
    nobody.down |= {"well", "dead", "late", "новый"}
    return Mixed(preferred=nobody, fallback=fake())


@asynccontextmanager
async def ssh(folder: Path) -> AsyncIterator[Desk]:
    """The agent of existing farms, played by a script."""
    load, keys = saying({"root checkload": LOAD}), writing(folder)

    async def answer(process: Process) -> None:
        await (load if "checkload" in (process.command or "") else keys)(process)

    async with agent_server(folder, answer) as host:
        agent = Ssh(store=FakeStore(), **host.options)  # type: ignore[arg-type]
        with silent() as late:
            yield Desk(agent, host.server, nowhere(), late)
        await agent._connections.close()


@asynccontextmanager
async def usher(folder: Path) -> AsyncIterator[Desk]:
    """Our own agent, as it is installed."""
    with TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        async with agent_server(folder, running(Sandbox(Path(name)))) as host:
            agent = Usher(**host.options)  # type: ignore[arg-type]
            with silent() as late:
                yield Desk(agent, host.server, nowhere(), late)
            await agent._connections.close()


@contextmanager
def silent() -> Iterator[Server]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Server("late", *listening.getsockname())


def nowhere() -> Server:
    """A server that has just ended."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return Server("dead", *listening.getsockname())


FAKES: dict[str, Make] = {"fake": without_servers(fake), "mixed": without_servers(mixed)}
REAL: dict[str, Make] = {"ssh": ssh, "usher": usher}
BLIND: dict[str, Make] = {"none": without_servers(NoAgent)}
PLAY: dict[str, Make] = {"simulated": without_servers(simulated)}


def those(*kinds: dict[str, Make]) -> pytest.MarkDecorator:
    makes = {name: make for kind in kinds for name, make in kind.items()}
    return pytest.mark.parametrize("make", makes.values(), ids=makes)


every = those(BLIND, PLAY, FAKES, REAL)
seeing = those(PLAY, FAKES, REAL)
placing = those(FAKES, REAL)


@pytest.fixture
async def desk(make: Make, tmp_path: Path) -> AsyncIterator[Desk]:
    async with make(tmp_path) as desk, asyncio.timeout(30):
        yield desk


@every
async def test_it_fits_the_port(desk: Desk):
    assert isinstance(desk.agent, Agent)


@every
async def test_a_server_that_is_well_has_a_load(desk: Desk):
    load = (await desk.agent.look(desk.well)).load
    assert load.sessions >= 0
    assert load.per_core >= 0


@every
async def test_a_server_never_heard_of_is_no_reason_to_break(desk: Desk):
    stranger = Server("новый", desk.dead.address, desk.dead.port)
    with suppress(OSError):
        assert isinstance(await desk.agent.look(stranger), Sight)


@every
async def test_many_can_be_asked_about_at_once(desk: Desk):
    loads = await asyncio.gather(*(desk.agent.look(desk.well) for _ in range(20)))
    assert set(loads) == {loads[0]}


@every
async def test_a_user_without_sessions_has_none(desk: Desk):
    await desk.agent.look(desk.well)
    assert [*await desk.agent.sessions(desk.well, "nobody_at_all")] == []


@every
async def test_a_key_that_was_never_let_in_is_withdrawn_all_the_same(desk: Desk):
    await desk.agent.look(desk.well)
    await desk.agent.withdraw(desk.well, GRANT)


@placing
async def test_a_key_is_let_in_and_withdrawn_as_often_as_one_likes(desk: Desk):
    await desk.agent.look(desk.well)
    await desk.agent.authorize(desk.well, GRANT)
    await desk.agent.authorize(desk.well, GRANT)
    await desk.agent.withdraw(desk.well, GRANT)
    await desk.agent.withdraw(desk.well, GRANT)


@those(BLIND, PLAY)
async def test_where_nobody_can_let_a_key_in_it_is_refused(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.agent.authorize(desk.well, GRANT)


@those(REAL)
@pytest.mark.parametrize("name", ["-rf", "a;reboot", "a b", "", "../root", "jürgen"])
async def test_a_name_that_no_account_can_have_gets_no_key(desk: Desk, name: str):
    with pytest.raises(Unavailable):
        await desk.agent.authorize(desk.well, Grant(name, ED25519, 60))


@those(BLIND, PLAY, REAL)
async def test_a_session_that_cannot_be_suspended_is_refused(desk: Desk):
    with pytest.raises(Unavailable):
        await desk.agent.suspend(desk.well, SESSION)


@seeing
async def test_a_dead_server_is_an_os_error(desk: Desk):
    with pytest.raises(OSError):
        await desk.agent.look(desk.dead)


@placing
async def test_a_key_on_a_dead_server_is_an_os_error(desk: Desk):
    with pytest.raises(OSError):
        await desk.agent.authorize(desk.dead, GRANT)
    with pytest.raises(OSError):
        await desk.agent.withdraw(desk.dead, GRANT)


@seeing
async def test_nobody_waits_for_a_server_that_is_late(desk: Desk):
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(desk.agent.look(desk.late))
        await desk.agent.look(desk.well)
        assert not late.done()
        late.cancel()


@seeing
async def test_whoever_gives_a_late_server_up_can_ask_again(desk: Desk):
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await desk.agent.look(desk.late)
    await desk.agent.look(desk.well)


async def test_the_fake_can_break_in_a_way_that_is_no_answer_at_all():
    agent = FakeAgent()
    agent.broken.add("well")
    with pytest.raises(ValueError, match="nonsense"):
        await agent.look(WELL)
