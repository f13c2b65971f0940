"""The picture of the farm, and the places promised in it."""

from __future__ import annotations

from math import inf, nan

import pytest
from fakes import FakeClock
from msgspec.structs import replace

from usher.changes import NEVER
from usher.farm import Farm
from usher.leases import LEASE_SECONDS
from usher.model import Candidate, Load, Resumable, Server, Session, Sight, State
from usher.settings import Settings

ONE, TWO = Server("ts1", "192.0.2.1"), Server("ts2", "192.0.2.2")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def farm(clock: FakeClock) -> Farm:
    return Farm(clock)


def leases(farm: Farm) -> list[int]:
    return [candidate.leases for candidate in farm.candidates([ONE, TWO])]


def test_a_server_that_nobody_has_told_about_counts_as_up_and_idle(farm: Farm):
    assert farm.candidates([ONE]) == [Candidate(ONE, Load(), 0)]


def test_a_server_is_as_busy_as_it_last_said(farm: Farm):
    farm.seen(ONE, Sight(Load(3, 0.5)))
    farm.seen(ONE, Sight(Load(4, 0.7)))
    assert farm.candidates([TWO, ONE]) == [Candidate(TWO, Load(), 0), Candidate(ONE, Load(4, 0.7))]


def test_a_silent_server_is_no_candidate_until_it_speaks_again(farm: Farm):
    farm.seen(ONE, Sight(Load(3)))
    farm.silent(ONE)
    assert [candidate.server for candidate in farm.candidates([ONE, TWO])] == [TWO]
    farm.seen(ONE, Sight(Load(1)))
    assert farm.candidates([ONE]) == [Candidate(ONE, Load(1))]


def test_looking_promises_nothing(farm: Farm):
    farm.candidates([ONE])
    assert leases(farm) == [0, 0]


def test_every_user_is_promised_one_place_for_a_profile(farm: Farm):
    for user in ("alice", "bob", "alice"):
        farm.leases.promise(user, "desktop", ONE)
    farm.leases.promise("alice", "office", ONE)
    assert leases(farm) == [3, 0]


def test_a_new_promise_replaces_the_old_one(farm: Farm):
    farm.leases.promise("alice", "desktop", ONE)
    farm.leases.promise("alice", "desktop", TWO)
    assert leases(farm) == [0, 1]


def test_promises_run_out_each_in_its_time(farm: Farm, clock: FakeClock):
    farm.leases.promise("alice", "desktop", ONE)
    clock.now += LEASE_SECONDS / 2
    farm.leases.promise("bob", "desktop", ONE)
    assert leases(farm) == [2, 0]
    clock.now += LEASE_SECONDS / 2
    assert leases(farm) == [1, 0]
    clock.now += LEASE_SECONDS / 2
    assert leases(farm) == [0, 0]


def test_a_promise_given_again_lasts_from_then(farm: Farm, clock: FakeClock):
    farm.leases.promise("alice", "desktop", ONE)
    farm.leases.promise("bob", "desktop", TWO)
    clock.now += LEASE_SECONDS - 1
    farm.leases.promise("alice", "desktop", ONE)
    clock.now += 1
    assert leases(farm) == [1, 0]


def session(user: str, number: int = 50) -> Session:
    name = f"{user}-{number}-1795414336_stDXFCE_dp24"
    return Session(name, user, "ts1", State.RUNNING, number)


def told(*sessions: Session) -> Sight:
    return Sight(Load(len(sessions)), sessions)


def test_the_sessions_of_a_user_are_known_as_long_as_they_are_told(farm: Farm):
    alice, bob = session("alice"), session("bob", 51)
    farm.seen(ONE, told(alice, bob))
    assert farm.sessions("alice") == [Resumable(alice, ONE)]
    farm.seen(ONE, told(bob))
    assert farm.sessions("alice") == ()
    assert farm.sessions("bob") == [Resumable(bob, ONE)]


def test_a_session_on_a_dead_server_is_not_offered_until_it_comes_back(farm: Farm):
    farm.seen(ONE, told(session("alice")))
    farm.silent(ONE)
    assert farm.sessions("alice") == []
    farm.seen(ONE, told(session("alice")))
    assert farm.sessions("alice") == [Resumable(session("alice"), ONE)]


def test_a_session_that_appears_takes_the_place_that_was_promised(farm: Farm):
    farm.leases.promise("alice", "desktop", ONE)
    farm.seen(ONE, told(session("bob")))
    assert leases(farm) == [1, 0]
    farm.seen(ONE, told(session("bob"), session("alice", 51)))
    assert leases(farm) == [0, 0]
    assert farm.leases.of("alice", "desktop") is None


def test_a_session_that_was_there_before_takes_no_promised_place(farm: Farm):
    farm.seen(ONE, told(session("alice")))
    farm.leases.promise("alice", "desktop", ONE)
    farm.seen(ONE, told(session("alice"), session("bob", 51)))
    assert leases(farm) == [1, 0]


def test_a_session_elsewhere_takes_no_place_here(farm: Farm):
    farm.leases.promise("alice", "desktop", TWO)
    farm.seen(ONE, told(session("alice")))
    assert leases(farm) == [0, 1]


def test_it_is_known_who_has_to_be_asked(farm: Farm):
    assert farm.tells_everything
    farm.seen(ONE, Sight(Load(1)))
    assert (farm.tells_everything, farm.tells_all(ONE), farm.tells_all(TWO)) == (False, False, True)
    farm.seen(ONE, told())
    assert farm.tells_everything


def test_a_drained_server_takes_nobody_new_and_still_tells_its_sessions(farm: Farm):
    farm.seen(ONE, told(session("alice")))
    farm.drain(["ts1"])
    assert [candidate.server for candidate in farm.candidates([ONE, TWO])] == [TWO]
    assert farm.sessions("alice") == [Resumable(session("alice"), ONE)]
    farm.drain([])
    assert len(farm.candidates([ONE, TWO])) == 2


def test_every_server_left_out_has_its_reason(farm: Farm):
    full, down = Server("ts3", "192.0.2.3"), Server("ts4", "192.0.2.4")
    farm.drain(["ts1"])
    farm.seen(full, Sight(Load(2)))
    farm.silent(down)
    outlooks = farm.outlooks([ONE, TWO, full, down], Settings(caps={"ts3": 2}))
    assert [*outlooks.values()] == [
        "it is drained",
        Candidate(TWO, Load()),
        "it is full: 2 of 2 sessions",
        "it does not answer",
    ]


def test_a_server_that_was_never_heard_of_is_told_of_as_well(farm: Farm, clock: FakeClock):
    farm.meet(ONE)
    clock.now += 5
    (state,) = farm.states()
    assert (state.server, state.up, state.since, state.heard) == (ONE, True, 5, inf)
    farm.silent(ONE)
    farm.meet(ONE)
    assert not farm.is_up(ONE)


def test_people_are_told_since_when_a_server_is_down(farm: Farm, clock: FakeClock):
    farm.seen(ONE, Sight())
    clock.now += 5
    farm.silent(ONE)
    clock.now += 7
    farm.silent(ONE)
    (state,) = farm.states()
    assert (state.server, state.up, state.since, state.drained) == (ONE, False, 7, False)


@pytest.mark.parametrize("load", [Load(-1), Load(1, -0.5), Load(1, nan), Load(1, 0.0, 1.1)])
def test_a_load_that_cannot_be_changes_nothing(farm: Farm, load: Load):
    farm.seen(ONE, Sight(Load(3)))
    with pytest.raises(ValueError, match="no server can be like that"):
        farm.seen(ONE, Sight(load))
    assert farm.candidates([ONE]) == [Candidate(ONE, Load(3))]


def test_one_host_at_two_ports_tells_of_its_sessions_at_both(farm: Farm):
    other = Server(ONE.name, "10.0.0.1", 2222)
    for server in (ONE, other):
        farm.seen(server, told(session("alice"), session("bob")))
    assert [known.server for known in farm.sessions("alice")] == [ONE, other]
    farm.seen(ONE, told(session("bob")))
    assert [known.server for known in farm.sessions("alice")] == [other]
    farm.seen(other, told(session("bob")))
    assert farm.knows_of_none("alice")
    farm.forget(other)
    assert [known.server for known in farm.sessions("bob")] == [ONE]


def test_a_server_is_believed_about_its_own_sessions_only(farm: Farm):
    farm.seen(TWO, told(session("alice")))
    assert farm.sessions("alice") == ()


def test_whoever_claims_the_session_of_another_server_takes_nothing_from_it(farm: Farm):
    mine, claimed = session("alice"), replace(session("alice"), server="ts2")
    farm.seen(ONE, told(mine))
    farm.seen(TWO, told(claimed))
    farm.seen(TWO, told())
    assert farm.sessions("alice") == [Resumable(mine, ONE)]


def test_whoever_follows_the_farm_hears_of_each_change(farm: Farm, clock: FakeClock):
    def changed() -> set[Server]:
        nonlocal mark
        who, mark = farm.changes.since(mark)
        assert who is not None
        return {*who}

    _, mark = farm.changes.since(NEVER)
    farm.seen(ONE, Sight(Load(3)))
    farm.leases.promise("alice", "desktop", TWO)
    assert changed() == {ONE, TWO}
    farm.seen(ONE, Sight(Load(3)))
    assert not changed()
    clock.now += LEASE_SECONDS
    farm.leases.forget_old()
    assert changed() == {TWO}
    farm.drain(["ts1"])
    assert farm.changes.since(mark)[0] is None


def test_a_session_that_changes_hands_or_state_is_told_as_it_is(farm: Farm):
    running = session("alice")
    farm.seen(ONE, told(running))
    suspended = replace(running, state=State.SUSPENDED)
    farm.seen(ONE, told(suspended))
    assert farm.sessions("alice") == [Resumable(suspended, ONE)]
    farm.seen(ONE, told(replace(running, user="bob")))
    assert farm.sessions("alice") == ()
    assert len(farm.sessions("bob")) == 1
