"""Where a user goes: to a session of theirs, or to a server with room."""

from __future__ import annotations

import pytest
from fakes import FakeAgent, FakeClock
from msgspec.structs import replace

from usher import placing
from usher.errors import NoServer
from usher.farm import REFUSALS, SHUNNED_SECONDS, Farm
from usher.leases import LEASE_SECONDS
from usher.model import Load, Profile, Selection, Server, Session, Sight, State, User
from usher.placing import Placer
from usher.selection.fewest_sessions import FewestSessions
from usher.selection.first import First
from usher.sessions import Sessions
from usher.settings import Policy, Settings

ONE, TWO, FAR = (
    Server("ts1", "192.0.2.1"),
    Server("ts2", "192.0.2.2"),
    Server("ts3", "192.0.2.3", 2222),
)
ALICE = User("alice")
PROFILE = Profile("desktop", (ONE, TWO, FAR), {})


def session(server: Server, number: int, state: State = State.SUSPENDED) -> Session:
    name = f"alice-{number}-1795414336_stDXFCE_dp24"
    return Session(name, "alice", server.name, state, number, last=f"2026-11-23T06:12:{number}")


class Desk:
    """A placer, and the farm it looks at."""

    def __init__(self) -> None:
        self.agent, self.clock = FakeAgent(), FakeClock()
        self.farm = Farm(self.clock)
        sessions = Sessions(self.agent, self.farm, self.clock)
        self.placer = Placer(
            self.agent, self.farm, sessions, First(), {"fewest_sessions": FewestSessions()}
        )

    def tell(self, *sessions: Session) -> None:
        for server in PROFILE.servers:
            here = tuple(told for told in sessions if told.server == server.name)
            self.farm.seen(server, Sight(Load(len(here)), here))

    async def place(self, servers: tuple[Server, ...] = PROFILE.servers, **settings) -> Selection:
        profile = replace(PROFILE, servers=servers, settings=Settings(**settings))
        await self.placer.take_over(servers, ALICE)
        return await self.placer.place(profile, servers, ALICE)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(placing, "LOOK_SECONDS", 0.0)
    return Desk()


def offered(selection: Selection) -> list[tuple[int, Server]]:
    return [(own.session.display, own.server) for own in selection.sessions]


async def test_who_has_no_session_goes_where_there_is_room_and_is_promised_a_place(desk: Desk):
    selection = await desk.place()
    assert (selection.server, selection.sessions) == (ONE, ())
    assert desk.farm.leases.of("alice", "desktop") == ONE


async def test_who_comes_again_at_once_is_sent_elsewhere(desk: Desk):
    assert [(await desk.place((ONE, TWO))).server for _ in range(3)] == [ONE, TWO, ONE]
    assert [(await desk.place((ONE,))).server for _ in range(2)] == [ONE, ONE]


async def test_a_profile_may_ask_for_a_selector_of_its_own(desk: Desk):
    desk.farm.seen(ONE, Sight(Load(5), ()))
    assert (await desk.place((ONE, TWO), selector="fewest_sessions")).server == TWO


async def test_sessions_are_offered_beside_a_place_for_a_new_one(desk: Desk):
    desk.tell(session(TWO, 50), session(TWO, 51), session(ONE, 52, State.RUNNING))
    selection = await desk.place()
    assert selection.server == ONE
    assert offered(selection) == [(51, TWO), (50, TWO), (52, ONE)]


async def test_only_sessions_with_the_port_of_the_best_one_can_be_offered(desk: Desk):
    desk.tell(session(FAR, 59), session(ONE, 51))
    selection = await desk.place()
    assert (selection.server, offered(selection)) == (FAR, [(59, FAR)])


async def test_a_drained_server_resumes_and_starts_nothing_new(desk: Desk):
    desk.tell(session(ONE, 50))
    desk.farm.drain(["ts1"])
    selection = await desk.place()
    assert (selection.server, offered(selection)) == (TWO, [(50, ONE)])


async def test_a_session_on_a_dead_server_is_not_offered_and_the_log_says_why(
    desk: Desk, caplog: pytest.LogCaptureFixture
):
    desk.tell(session(ONE, 50))
    desk.farm.silent(ONE, "no route to host")
    selection = await desk.place()
    assert (selection.server, selection.sessions) == (TWO, ())
    assert f"{session(ONE, 50).id} of alice is lost: ts1: no route to host" in caplog.text


async def test_of_two_ids_that_contain_one_another_the_better_is_offered(desk: Desk):
    short = replace(session(ONE, 50), id="alice-50-1795414336_stDXFCE_dp2")
    desk.tell(short, session(TWO, 51), replace(session(TWO, 50), state=State.RUNNING))
    assert [own.session.id for own in (await desk.place()).sessions] == [
        session(TWO, 51).id,
        short.id,
    ]


async def test_resume_offers_the_best_session_only(desk: Desk):
    desk.tell(session(TWO, 50), session(TWO, 51))
    selection = await desk.place(session_policy=Policy.RESUME)
    assert (selection.server, offered(selection)) == (TWO, [(51, TWO)])


async def test_new_offers_no_session_at_all(desk: Desk):
    desk.tell(session(TWO, 50))
    selection = await desk.place(session_policy=Policy.NEW)
    assert (selection.server, selection.sessions) == (ONE, ())


async def test_takeover_suspends_a_running_session_and_sees_that_it_is_done(desk: Desk):
    desk.tell(session(TWO, 50, State.RUNNING))

    async def suspend(server: Server, running: Session) -> None:
        desk.tell(replace(running, state=State.SUSPENDED))

    desk.agent.suspend = suspend  # type: ignore[method-assign]
    selection = await desk.place(session_policy=Policy.TAKEOVER)
    assert (selection.server, offered(selection)) == (TWO, [(50, TWO)])
    assert selection.sessions[0].session.state is State.SUSPENDED


@pytest.mark.parametrize("misfortune", ["unwilling", "down"])
async def test_takeover_offers_the_running_session_where_it_cannot_be_suspended(
    desk: Desk, misfortune: str
):
    desk.tell(session(TWO, 50, State.RUNNING))
    getattr(desk.agent, misfortune).add("ts2")
    selection = await desk.place(session_policy=Policy.TAKEOVER)
    assert selection.sessions[0].session.state is State.RUNNING


async def test_what_cannot_be_taken_over_is_for_the_user_to_choose(desk: Desk):
    desk.tell(session(TWO, 50, State.RUNNING), session(TWO, 51, State.RUNNING))
    desk.agent.unwilling = {"ts2"}
    selection = await desk.place(session_policy=Policy.TAKEOVER)
    assert (selection.server, offered(selection)) == (ONE, [(51, TWO), (50, TWO)])


@pytest.mark.parametrize("state", State)
async def test_with_an_agent_that_cannot_suspend_takeover_is_choose(desk: Desk, state: State):
    desk.tell(session(TWO, 50, state), session(TWO, 51, state))
    desk.agent.suspends = False
    takeover = await desk.place(session_policy=Policy.TAKEOVER)
    assert takeover == await desk.place(session_policy=Policy.CHOOSE)
    assert len(takeover.sessions) == 2
    assert desk.agent.suspended == []


async def test_takeover_waits_no_longer_than_it_may(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(placing, "TAKEOVER_SECONDS", 0.02)
    desk.tell(session(TWO, 50, State.RUNNING))
    assert (await desk.place(session_policy=Policy.TAKEOVER)).sessions
    assert desk.agent.suspended == [session(TWO, 50).id]


async def test_at_the_limit_sessions_are_offered_and_no_place_for_a_new_one(desk: Desk):
    desk.tell(session(TWO, 50), session(TWO, 51))
    selection = await desk.place(session_limit=2)
    assert selection.server.name == "session-limit-reached.invalid"
    assert len(selection.sessions) == 2
    with pytest.raises(NoServer):
        await desk.place(session_limit=2, session_policy=Policy.NEW)


async def test_a_server_that_refused_three_keys_is_tried_last_for_five_minutes(desk: Desk):
    for _ in range(REFUSALS):
        assert (await desk.place((ONE, TWO))).server == ONE
        desk.clock.now += LEASE_SECONDS
        desk.farm.key_failed(ONE)
    assert (await desk.place((ONE, TWO))).server == TWO
    assert (await desk.place((ONE,))).server == ONE
    desk.clock.now += SHUNNED_SECONDS
    assert (await desk.place((ONE, TWO))).server == ONE


async def test_when_nothing_can_be_had_the_log_says_why_of_every_server(desk: Desk):
    desk.farm.silent(ONE)
    desk.farm.drain(["ts2", "ts3"])
    with pytest.raises(NoServer) as refused:
        await desk.place()
    assert refused.value.detail == (
        "no server for desktop: ts1: it does not answer; ts2: it is drained; ts3: it is drained"
    )


async def test_a_list_tells_the_sessions_of_each_profile(desk: Desk):
    other = Profile("other", (TWO,), {})
    assert await desk.placer.mine([PROFILE, other], ALICE) == {}
    desk.tell(session(ONE, 50), session(TWO, 51))
    mine = await desk.placer.mine([PROFILE, other, Profile("none", (FAR,), {})], ALICE)
    assert {name: [own.display for own in told] for name, told in mine.items()} == {
        "desktop": [51, 50],
        "other": [51],
    }


async def test_people_are_told_of_the_sessions_and_what_counts_about_every_server(desk: Desk):
    desk.tell(session(ONE, 50), session(TWO, 51))
    desk.farm.silent(TWO)
    for _ in range(REFUSALS):
        desk.farm.key_failed(ONE)
    assert [line async for line in desk.placer.explain(PROFILE, (ONE, TWO), ALICE)] == [
        "ts1: has alice-50-1795414336_stDXFCE_dp24, suspended",
        "ts2: has alice-51-1795414336_stDXFCE_dp24, out of reach",
        "ts1: the first one is taken; tried last: it refused keys",
        "ts2: left out: it does not answer",
    ]
