"""The farm that is not there: a function of seed, name and time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from usher.agents.simulated import SLOW_SECONDS, Rhythm, SimulatedFarm

HOUR = range(3600)
DESKS = [f"desk{number}" for number in range(1, 6)]


def lives(farm: SimulatedFarm, name: str) -> list[bool]:
    return [farm.state(name, second).up for second in HOUR]


@pytest.mark.parametrize(
    ("at", "there"), [(0, True), (1.9, True), (2, False), (9.9, False), (10, True)]
)
def test_a_rhythm_is_there_for_a_while_of_every_period(at, there):
    assert Rhythm(period=10, stay=2, phase=0).on(at) is there
    assert Rhythm(period=10, stay=2, phase=3).on(at - 3) is there


def test_the_same_seed_is_the_same_farm():
    one, other = SimulatedFarm(seed=7), SimulatedFarm(seed=7)
    assert [one.state("desk1", t) for t in HOUR] == [other.state("desk1", t) for t in HOUR]


def test_a_seed_means_the_same_on_every_machine():
    farm = SimulatedFarm(seed=1)
    assert [farm.state(desk, 0).load.sessions for desk in DESKS] == [7, 7, 2, 4, 3]


def test_another_seed_is_another_farm():
    one, other = SimulatedFarm(seed=1), SimulatedFarm(seed=2)
    assert [one.state("desk1", t) for t in HOUR] != [other.state("desk1", t) for t in HOUR]


def test_what_happens_to_one_server_changes_nothing_for_its_neighbours():
    calm = SimulatedFarm()
    troubled = SimulatedFarm(slow={"desk4"}, dying={"desk5"})
    assert calm.state("desk1", 99) == troubled.state("desk1", 99)


@pytest.mark.parametrize("desk", DESKS)
def test_sessions_come_and_go_one_by_one(desk):
    sessions = [SimulatedFarm().state(desk, second).load.sessions for second in HOUR]
    steps = {after - before for before, after in pairwise(sessions)}
    assert {-1, 1} <= steps <= {-2, -1, 0, 1, 2}
    assert max(sessions) - min(sessions) >= 3


def test_more_sessions_are_more_load():
    loads = {SimulatedFarm().state("desk1", second).load for second in HOUR}
    by_sessions = sorted(loads, key=lambda load: load.sessions)
    assert all(a.per_core < b.per_core for a, b in pairwise(by_sessions))


def test_only_a_slow_server_answers_late():
    farm = SimulatedFarm(slow={"desk4"})
    delays = {desk: farm.state(desk, 0).delay for desk in DESKS}
    assert delays == {**dict.fromkeys(DESKS, 0.0), "desk4": SLOW_SECONDS}


def test_only_a_dying_server_dies_and_it_always_comes_back():
    farm = SimulatedFarm(dying={"desk5"})
    assert all(lives(farm, "desk1"))
    life = lives(farm, "desk5")
    deaths = [before and not after for before, after in pairwise(life)]
    returns = [after and not before for before, after in pairwise(life)]
    assert sum(deaths) == sum(returns) == 60
