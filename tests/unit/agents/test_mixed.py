"""A farm on its way from one agent to another."""

from __future__ import annotations

import pytest
from fakes import FakeAgent

from usher.agents import mixed
from usher.agents.mixed import Mixed
from usher.model import Grant, Load, Server, Session, State

OLD, NEW = Server("old", "192.0.2.1"), Server("new", "192.0.2.2")
GRANT = Grant("alice", "ssh-ed25519 AAAA", 60)
SESSION = Session("alice-50-1795414336_stDXFCE_dp24", "alice", "old", State.RUNNING, 50)


class Desk:
    """A farm where one server has the new agent, and the other has not."""

    def __init__(self) -> None:
        self.new, self.old = FakeAgent(), FakeAgent()
        self.new.loads["new"] = Load(sessions=2)
        self.old.loads["old"] = Load(sessions=1)
        self.old.told = [SESSION]
        self.new.down, self.old.down = {"old"}, {"new"}
        self.agent = Mixed(preferred=self.new, fallback=self.old)

    async def looks(self) -> list[int]:
        return [(await self.agent.look(server)).load.sessions for server in (OLD, NEW)]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_every_server_is_asked_through_the_agent_it_has(desk: Desk):
    assert await desk.looks() == [1, 2]
    assert await desk.agent.sessions(OLD, "alice") == [SESSION]
    for server in (OLD, NEW):
        await desk.agent.authorize(server, GRANT)
    assert (desk.old.authorized, desk.new.authorized) == ({("old", GRANT)}, {("new", GRANT)})
    await desk.agent.suspend(OLD, SESSION)
    assert desk.old.suspended == [SESSION.id]
    for server in (OLD, NEW):
        await desk.agent.withdraw(server, GRANT)
    assert (desk.old.authorized, desk.new.authorized) == (set(), set())


async def test_an_agent_that_appears_is_preferred_from_then_on(desk: Desk, caplog):
    caplog.set_level("INFO")
    await desk.looks()
    desk.new.down.clear()
    desk.new.loads["old"] = Load(sessions=5)
    assert await desk.looks() == [5, 2]
    assert await desk.agent.sessions(OLD, "alice") == []
    assert caplog.text.count("old has the agent") == 2


async def test_a_server_where_neither_answers_is_down_for_both_reasons(desk: Desk):
    desk.old.down.add("old")
    with pytest.raises(ConnectionError, match="old is down; old is down"):
        await desk.agent.look(OLD)


async def test_one_database_for_some_is_one_for_all(desk: Desk):
    assert not desk.agent.shared_database
    desk.old.shared_database = True
    assert Mixed(preferred=desk.new, fallback=desk.old).shared_database


async def test_a_farm_where_some_can_suspend_is_asked_to(desk: Desk):
    assert desk.agent.suspends
    desk.new.suspends = desk.old.suspends = False
    assert not Mixed(preferred=desk.new, fallback=desk.old).suspends


async def test_a_server_whose_agent_tells_nothing_is_looked_at_after_a_while(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mixed, "LOOK_SECONDS", 0.0)
    await desk.agent.news(OLD)
