"""The picture of the farm, and the places promised in it."""

from __future__ import annotations

import pytest
from fakes import FakeClock

from usher.farm import LEASE_SECONDS, Farm
from usher.model import Candidate, Load, Server, Sight

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
        farm.lease(user, "desktop", ONE)
    farm.lease("alice", "office", ONE)
    assert leases(farm) == [3, 0]


def test_a_new_promise_replaces_the_old_one(farm: Farm):
    farm.lease("alice", "desktop", ONE)
    farm.lease("alice", "desktop", TWO)
    assert leases(farm) == [0, 1]


def test_promises_run_out_each_in_its_time(farm: Farm, clock: FakeClock):
    farm.lease("alice", "desktop", ONE)
    clock.now += LEASE_SECONDS / 2
    farm.lease("bob", "desktop", ONE)
    assert leases(farm) == [2, 0]
    clock.now += LEASE_SECONDS / 2
    assert leases(farm) == [1, 0]
    clock.now += LEASE_SECONDS / 2
    assert leases(farm) == [0, 0]


def test_a_promise_given_again_lasts_from_then(farm: Farm, clock: FakeClock):
    farm.lease("alice", "desktop", ONE)
    farm.lease("bob", "desktop", TWO)
    clock.now += LEASE_SECONDS - 1
    farm.lease("alice", "desktop", ONE)
    clock.now += 1
    assert leases(farm) == [1, 0]
