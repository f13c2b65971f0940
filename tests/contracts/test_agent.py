"""What every agent promises, and the fake that plays one."""

from __future__ import annotations

import asyncio

import pytest
from fakes import FakeAgent

from usher.agents.mixed import Mixed
from usher.agents.none import NoAgent
from usher.agents.simulated import Simulated, SimulatedFarm
from usher.model import Load, Server, Sight
from usher.ports import Agent

WELL, DEAD, LATE = (Server(name, f"{name}.example.org") for name in ("well", "dead", "late"))


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


SEEING = {"fake": fake, "simulated": simulated, "mixed": mixed}
AGENTS = {"none": NoAgent, **SEEING}
every = pytest.mark.parametrize("make", AGENTS.values(), ids=AGENTS)
seeing = pytest.mark.parametrize("make", SEEING.values(), ids=SEEING)


@every
def test_it_fits_the_port(make):
    assert isinstance(make(), Agent)


@every
async def test_a_server_that_is_well_has_a_load(make):
    load = (await make().look(WELL)).load
    assert load.sessions >= 0
    assert load.per_core >= 0


@every
async def test_a_server_never_heard_of_is_no_reason_to_break(make):
    assert isinstance(await make().look(Server("новый", "2001:db8::1", 2222)), Sight)


@every
async def test_many_can_be_asked_about_at_once(make):
    agent = make()
    loads = await asyncio.gather(*(agent.look(WELL) for _ in range(100)))
    assert set(loads) == {loads[0]}


@seeing
async def test_a_dead_server_is_an_os_error(make):
    with pytest.raises(OSError, match="dead"):
        await make().look(DEAD)


@seeing
async def test_nobody_waits_for_a_server_that_is_late(make):
    agent = make()
    async with asyncio.TaskGroup() as tasks:
        late = tasks.create_task(agent.look(LATE))
        await agent.look(WELL)
        assert not late.done()
        late.cancel()


@seeing
async def test_whoever_gives_a_late_server_up_can_ask_again(make):
    agent = make()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await agent.look(LATE)
    await agent.look(WELL)


async def test_the_fake_can_break_in_a_way_that_is_no_answer_at_all():
    agent = FakeAgent()
    agent.broken.add("well")
    with pytest.raises(ValueError, match="nonsense"):
        await agent.look(WELL)
