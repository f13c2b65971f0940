"""The farm that is not there: a function of seed, name and time."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from usher.agents.simulated import SLOW_SECONDS, Rhythm, SimulatedFarm
from usher.model import Load, State

HOUR = range(3600)
DESKS = [f"desk{number}" for number in range(1, 6)]


def lives(farm: SimulatedFarm, name: str) -> list[bool]:
    return [farm.moment(name, second).up for second in HOUR]


def delays(farm: SimulatedFarm, name: str) -> list[float]:
    return [farm.moment(name, second).delay for second in HOUR]


@pytest.mark.parametrize(
    ("at", "there"), [(0, True), (1.9, True), (2, False), (9.9, False), (10, True)]
)
def test_a_rhythm_is_there_for_a_while_of_every_period(at, there):
    assert Rhythm(period=10, stay=2, phase=0).on(at) is there
    assert Rhythm(period=10, stay=2, phase=3).on(at - 3) is there


def test_the_same_seed_is_the_same_farm():
    one, other = SimulatedFarm(seed=7, latency=0.1), SimulatedFarm(seed=7, latency=0.1)
    assert [one.moment("desk1", t) for t in HOUR] == [other.moment("desk1", t) for t in HOUR]


def test_a_seed_means_the_same_on_every_machine():
    farm = SimulatedFarm(seed=1)
    assert [farm.moment(desk, 0).load.sessions for desk in DESKS] == [6, 6, 5, 5, 5]


def test_another_seed_is_another_farm():
    one, other = SimulatedFarm(seed=1), SimulatedFarm(seed=2)
    assert [one.moment("desk1", t) for t in HOUR] != [other.moment("desk1", t) for t in HOUR]


def test_what_happens_to_one_server_changes_nothing_for_its_neighbours():
    calm = SimulatedFarm()
    troubled = SimulatedFarm(slow={"desk4"}, dying={"desk5"}, lying={"desk3"}, silent={"desk2"})
    assert calm.moment("desk1", 99) == troubled.moment("desk1", 99)


@pytest.mark.parametrize("desk", DESKS)
def test_sessions_come_and_go_one_by_one(desk):
    sessions = [SimulatedFarm().moment(desk, second).load.sessions for second in HOUR]
    steps = {after - before for before, after in pairwise(sessions)}
    assert {-1, 1} <= steps <= {-2, -1, 0, 1, 2}
    assert max(sessions) - min(sessions) >= 3


def test_a_session_runs_then_it_is_suspended_then_it_is_gone():
    told = [SimulatedFarm().moment("desk1", second).sessions for second in HOUR]
    life = [state.state for sessions in told for state in sessions if state.display == 50]
    assert {State.RUNNING, State.SUSPENDED} == set(life)
    by_id: dict[str, list[State]] = {}
    for session in (session for sessions in told for session in sessions):
        by_id.setdefault(session.id, []).append(session.state)
    assert len(by_id) > 50
    assert all(states == sorted(states) for states in by_id.values()), "R comes before S"


def test_more_sessions_want_more_memory_and_those_that_run_more_processors():
    moments = [SimulatedFarm().moment("desk1", second) for second in HOUR]
    for one, other in pairwise(sorted(moments, key=lambda moment: moment.load.sessions)):
        assert one.load.free_memory >= other.load.free_memory
    running = {sum(s.state is State.RUNNING for s in m.sessions): m.load.per_core for m in moments}
    assert all(running[a] < running[b] for a, b in pairwise(sorted(running)))


def test_a_farm_is_as_large_as_one_likes():
    farm = SimulatedFarm(people=100, users=20_000)
    sessions = [s for n in range(500) for s in farm.moment(f"ts{n}", 0).sessions]
    assert 19_000 < len(sessions) < 21_000
    assert len({(session.server, session.id) for session in sessions}) == len(sessions)
    assert 10_000 < len({session.user for session in sessions}) < 15_000


def test_only_a_slow_server_answers_late():
    farm = SimulatedFarm(slow={"desk4"})
    late = {desk: farm.moment(desk, 0).delay for desk in DESKS}
    assert late == {**dict.fromkeys(DESKS, 0.0), "desk4": SLOW_SECONDS}


def test_with_a_latency_most_answers_take_about_as_long_and_few_much_longer():
    taken = sorted(delays(SimulatedFarm(latency=0.1), "desk1"))
    assert 0.05 <= taken[0] < taken[1800] < 0.1 < 0.2 < taken[-36] < taken[-1] < 1.0


def test_a_silent_server_never_answers():
    assert set(delays(SimulatedFarm(silent={"desk1"}), "desk1")) == {inf}


def test_a_fading_server_answers_later_and_later_then_not_at_all_then_again():
    late = delays(SimulatedFarm(fading={"desk1"}), "desk1")
    recoveries = [n for n, (one, other) in enumerate(pairwise(late), 1) if other < one]
    assert len(recoveries) == 60
    for began, ended in pairwise(recoveries):
        life = late[began:ended]
        assert life[0] < 0.2
        assert life == sorted(life)
        assert 10 < life[-21] < inf == life[-19]


def test_a_liar_tells_sessions_of_others_and_loads_that_cannot_be():
    farm = SimulatedFarm(lying={"desk1"})
    honest = SimulatedFarm().moment("desk1", 1)
    sight = farm.moment("desk1", 1).sight()
    assert {session.server for session in sight.sessions or ()} == {"desk1", "not-desk1"}
    assert sight.load == honest.load
    assert farm.moment("desk1", 4).sight().load == Load(-1, -1.0, 2.0)


def test_only_a_dying_server_dies_and_it_always_comes_back():
    farm = SimulatedFarm(dying={"desk5"})
    assert all(lives(farm, "desk1"))
    life = lives(farm, "desk5")
    deaths = [before and not after for before, after in pairwise(life)]
    returns = [after and not before for before, after in pairwise(life)]
    assert sum(deaths) == sum(returns) == 60


def test_a_farm_that_is_asked_at_any_time_in_any_order_says_the_same():
    seconds = [second / 3 for second in range(900)]
    forwards = [SimulatedFarm().moment("desk1", second) for second in seconds]
    backwards = [SimulatedFarm().moment("desk1", second) for second in reversed(seconds)]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) > 50
