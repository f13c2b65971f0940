"""Watching the farm, off the request path."""

from __future__ import annotations

import asyncio

import pytest
from fakes import FakeAgent, FakeProfiles

from usher import monitor
from usher.access import Catalogue
from usher.farm import Farm
from usher.model import Load, Profile, Server
from usher.monitor import Monitor

SERVERS = tuple(Server(f"ts{number}", f"192.0.2.{number}") for number in range(4))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
def farm() -> Farm:
    return Farm()


@pytest.fixture
def watching(agent: FakeAgent, farm: Farm, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    monkeypatch.setattr(monitor, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(monitor, "PERIOD_SECONDS", 0.0)
    monkeypatch.setattr(monitor, "LEAST_SECONDS", 0.0)
    return Monitor(agent, farm, FakeProfiles(Profile("desktop", SERVERS, {})))


def up(farm: Farm) -> dict[str, Load]:
    return {candidate.server.name: candidate.load for candidate in farm.candidates(SERVERS)}


async def look_at_all(watching: Monitor) -> None:
    await asyncio.gather(*map(watching.look, SERVERS))


async def test_every_known_server_is_asked(watching: Monitor, agent: FakeAgent, farm: Farm):
    agent.loads = {server.name: Load(number) for number, server in enumerate(SERVERS)}
    await look_at_all(watching)
    assert up(farm) == agent.loads


@pytest.mark.parametrize("misfortune", ["down", "slow", "broken", "unwilling"])
async def test_a_server_that_gives_no_answer_is_silent_and_holds_up_no_other(
    watching: Monitor, agent: FakeAgent, farm: Farm, misfortune: str
):
    getattr(agent, misfortune).add("ts1")
    agent.loads = {"ts0": Load(7)}
    await look_at_all(watching)
    assert up(farm) == {"ts0": Load(7), "ts2": Load(), "ts3": Load()}


async def test_a_server_that_comes_back_is_seen_without_anybody_asking(
    watching: Monitor, agent: FakeAgent, farm: Farm
):
    agent.down = {"ts1"}
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watching.run())
        while "ts1" in up(farm):
            await asyncio.sleep(0)
        agent.down.clear()
        while "ts1" not in up(farm):
            await asyncio.sleep(0)
        running.cancel()


async def test_a_server_that_tells_what_cannot_be_is_down_and_that_is_logged_once(
    watching: Monitor, agent: FakeAgent, farm: Farm, caplog: pytest.LogCaptureFixture
):
    agent.loads["ts0"] = Load(-1)
    for _ in range(2):
        await watching.look(SERVERS[0])
    assert "ts0" not in up(farm)
    (told,) = caplog.records
    assert "ts0 counts as down: no server can be like that" in told.message and not told.exc_info


async def test_a_server_that_has_not_answered_so_far_is_known_all_the_same(
    watching: Monitor, agent: FakeAgent, farm: Farm
):
    agent.slow = {server.name for server in SERVERS}
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watching.run())
        await asyncio.sleep(0)
        assert {state.server for state in farm.states()} == {*SERVERS}
        running.cancel()


async def test_news_of_an_agent_that_tells_is_seen_at_once(
    agent: FakeAgent, farm: Farm, monkeypatch: pytest.MonkeyPatch
):
    class Telling(FakeAgent):
        def __init__(self) -> None:
            super().__init__()
            self.told = asyncio.Event()

        async def news(self, server: Server) -> None:
            await self.told.wait()

    telling = Telling()
    watching = Monitor(telling, farm, FakeProfiles(Profile("desktop", SERVERS, {})))
    async with asyncio.timeout(1), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watching.run())
        while len(farm.states()) < len(SERVERS):
            await asyncio.sleep(0)
        telling.loads["ts1"] = Load(7)
        telling.told.set()
        while up(farm)["ts1"] != Load(7):
            await asyncio.sleep(0)
        running.cancel()


async def test_a_server_that_no_profile_names_any_more_is_forgotten(
    watching: Monitor, agent: FakeAgent, farm: Farm
):
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watching.run())
        while len(farm.states()) < len(SERVERS):
            await asyncio.sleep(0)
        watching._source.catalogue = Catalogue([])
        while farm.states():
            await asyncio.sleep(0)
        running.cancel()
