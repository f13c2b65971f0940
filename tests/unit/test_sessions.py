"""Finding a user's sessions: in the picture, or by asking, and whom to believe."""

from __future__ import annotations

import asyncio

import pytest
from fakes import FakeAgent, FakeClock

from usher import sessions as module
from usher.farm import Farm
from usher.model import Load, Server, Session, Sight, State
from usher.sessions import Sessions, server_called

ONE, TWO = (Server(f"ts{number}.example.org", f"192.0.2.{number}") for number in (1, 2))


def session(user: str, server: Server, number: int = 50, state: State = State.RUNNING) -> Session:
    name = f"{user}-{number}-1795414336_stDXFCE_dp24"
    return Session(name, user, server.name, state, number, last=f"2026-11-23T06:12:{number}")


class Desk:
    """An agent that has to be asked, and who asks it."""

    def __init__(self) -> None:
        self.agent, self.clock = FakeAgent(), FakeClock()
        self.farm = Farm(self.clock)
        self.sessions = Sessions(self.agent, self.farm, self.clock)
        for server in (ONE, TWO):
            self.farm.seen(server, Sight(Load()))

    async def of(self, user: str = "alice", max_age: float = 5.0, patience: float = 2.0):
        found = await self.sessions.of(user, (ONE, TWO), max_age=max_age, patience=patience)
        return [(known.session.id.split("-")[1], known.server) for known in found]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    return Desk()


async def test_all_servers_are_asked_and_suspended_sessions_come_first_then_the_newest(desk: Desk):
    desk.agent.told = [
        session("alice", ONE, 50),
        session("alice", TWO, 51, State.SUSPENDED),
        session("alice", ONE, 52),
        session("bob", ONE, 53),
    ]
    assert await desk.of() == [("51", TWO), ("52", ONE), ("50", ONE)]


async def test_a_server_that_tells_all_its_sessions_is_not_asked(desk: Desk):
    desk.farm.seen(ONE, Sight(Load(1), (session("alice", ONE),)))
    assert await desk.of() == [("50", ONE)]
    assert desk.agent.asked == [(TWO.name, "alice")]


async def test_one_host_at_two_ports_has_each_session_once(desk: Desk):
    other = Server(ONE.name, ONE.address, 2222)
    for server in (ONE, other):
        desk.farm.seen(server, Sight(Load(1), (session("alice", ONE),)))
    found = await desk.sessions.of("alice", (ONE, other), max_age=5.0, patience=2.0)
    assert [known.session.id for known in found] == [session("alice", ONE).id]


async def test_an_answer_is_good_for_as_long_as_it_may_be(desk: Desk):
    await desk.of()
    desk.agent.told = [session("alice", ONE)]
    desk.clock.now += 4
    assert await desk.of(max_age=5) == []
    desk.clock.now += 2
    assert await desk.of(max_age=5) == [("50", ONE)]
    assert len(desk.agent.asked) == 4


async def test_the_same_is_not_asked_twice_at_once(desk: Desk):
    await asyncio.gather(*(desk.of() for _ in range(10)))
    assert sorted(desk.agent.asked) == [(ONE.name, "alice"), (TWO.name, "alice")]


async def test_nobody_waits_longer_than_they_have_patience(desk: Desk):
    desk.agent.told = [session("alice", ONE)]
    desk.agent.slow = {TWO.name}
    assert await desk.of(patience=0.01) == [("50", ONE)]


async def test_a_server_that_does_not_answer_in_time_is_down_and_asked_no_more(desk: Desk):
    desk.agent.slow = {TWO.name}
    assert await desk.of() == []
    assert (desk.farm.is_up(ONE), desk.farm.is_up(TWO)) == (True, False)
    await desk.of(max_age=-1)
    assert desk.agent.asked.count((TWO.name, "alice")) == 1


async def test_a_server_that_talks_nonsense_hides_no_session_on_another(desk: Desk):
    desk.agent.told = [session("alice", ONE)]
    desk.agent.broken = {TWO.name}
    assert await desk.of() == [("50", ONE)]


@pytest.mark.parametrize("lie", [session("bob", ONE), session("alice", TWO)])
async def test_a_server_is_believed_of_nobody_else_and_of_no_other_server(desk: Desk, lie: Session):
    desk.agent.sessions = lambda server, user: _say(lie if server is ONE else None)  # type: ignore[method-assign,assignment]
    assert await desk.of() == []


async def test_with_one_database_one_server_is_asked_and_knows_all(desk: Desk):
    desk.agent.shared_database = True
    mine = session("alice", TWO)
    desk.agent.sessions = lambda server, user: _say(mine)  # type: ignore[method-assign,assignment]
    assert await desk.of() == [("50", TWO)]


async def _say(told: Session | None) -> list[Session]:
    return [told] if told else []


@pytest.mark.parametrize(
    ("name", "servers", "found"),
    [
        ("ts1", ["ts1"], "ts1"),
        ("ts1", ["ts1.example.org"], "ts1.example.org"),
        ("ts1.example.org", ["ts1"], "ts1"),
        ("ts1.example.org", ["ts1.example.com"], None),
        ("ts1", ["ts1.example.org", "ts1.example.com"], None),
        ("ts1.example.org", ["ts1.example.com", "ts1.example.org"], "ts1.example.org"),
        ("ts1", ["ts10", "ts11.example.org"], None),
        ("10.0.0.1", ["10.0.0.2"], None),
    ],
)
def test_a_name_means_a_server_exactly_or_in_short_when_only_one_can_be_meant(name, servers, found):
    server = server_called(name, [Server(called, "192.0.2.9") for called in servers])
    assert (server.name if server else None) == found
