"""Who has not logged in: few at once, and slow after failures; others are not held up."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from usher.frontends.strangers import (
    FORGIVEN_SECONDS,
    FREE_FAILURES,
    FREE_FAILURES_OF_A_SOURCE,
    LONGEST_PAUSE_SECONDS,
    MOST,
    MOST_OF_A_SOURCE,
    MOST_REMEMBERED,
    Strangers,
)

HERE, THERE = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class Clock:
    """A time that passes when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def strangers(clock: Clock) -> Strangers:
    return Strangers(clock)


def test_one_place_gets_so_many_connections_and_others_get_theirs(strangers: Strangers):
    assert all(strangers.admit(HERE) for _ in range(MOST_OF_A_SOURCE))
    assert not strangers.admit(HERE)
    assert strangers.admit(THERE)
    strangers.leave(HERE)
    assert strangers.admit(HERE)


def test_a_crowd_of_many_places_is_a_crowd_as_well(strangers: Strangers):
    crowd = [ip_address(0x0A000000 + number) for number in range(MOST)]
    assert all(strangers.admit(address) for address in crowd)
    assert not strangers.admit(HERE)
    strangers.leave(crowd[0])
    assert strangers.admit(HERE)


def test_all_of_an_ipv6_network_are_one_place(strangers: Strangers):
    neighbours = [ip_address(f"2001:db8::{number}") for number in range(MOST_OF_A_SOURCE + 1)]
    assert [strangers.admit(address) for address in neighbours].count(False) == 1
    assert strangers.admit(ip_address("2001:db8:0:1::1"))


def test_failures_cost_a_name_at_its_own_place_ever_longer_pauses(strangers: Strangers):
    pauses = []
    for _ in range(FREE_FAILURES + 20):
        pauses.append(strangers.pause(HERE, "alice"))
        strangers.failed(HERE, "alice")
    assert pauses[: FREE_FAILURES + 1] == [0.0] * (FREE_FAILURES + 1)
    assert pauses[FREE_FAILURES + 1 : FREE_FAILURES + 6] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert strangers.pause(HERE, "bob") == 0.0
    assert strangers.pause(THERE, "alice") == 0.0


def test_guessing_at_many_names_costs_the_whole_place(strangers: Strangers):
    for number in range(FREE_FAILURES_OF_A_SOURCE):
        strangers.failed(HERE, f"user{number}")
    assert strangers.pause(HERE, "alice") == 0.0
    strangers.failed(HERE, "")
    assert strangers.pause(HERE, "alice") == 0.5
    assert strangers.pause(THERE, "alice") == 0.0


def test_failures_are_forgiven_in_time(strangers: Strangers, clock: Clock):
    for _ in range(FREE_FAILURES + 1):
        strangers.failed(HERE, "alice")
    clock.now += FORGIVEN_SECONDS - 1
    assert strangers.pause(HERE, "alice")
    clock.now += 1
    assert not strangers.pause(HERE, "alice")


def test_a_flood_of_places_makes_the_oldest_forgotten(strangers: Strangers):
    for _ in range(FREE_FAILURES + 1):
        strangers.failed(HERE, "alice")
    for number in range(MOST_REMEMBERED // 2 - 1):
        strangers.failed(ip_address(0x0A000000 + number), "alice")
    assert strangers.pause(HERE, "alice")
    strangers.failed(THERE, "alice")
    assert not strangers.pause(HERE, "alice")
