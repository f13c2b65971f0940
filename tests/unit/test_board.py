"""What a board picks is what its selector would, from a picture that was looked at just now."""

from __future__ import annotations

import pytest
from fakes import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from usher.board import Board
from usher.changes import REMEMBERED
from usher.farm import Farm
from usher.leases import LEASE_SECONDS
from usher.model import Load, Server, Sight, User
from usher.selection.fewest_sessions import FewestSessions
from usher.selection.first import First
from usher.selection.least_loaded import LeastLoaded
from usher.settings import Settings

SERVERS = tuple(Server(f"ts{n}", f"192.0.2.{n}", 22 + n % 2) for n in range(6))
ONE, TWO, *_ = SERVERS
ALICE = User("alice")
SAID = Settings(weights={"ts1": 2.0}, caps={"ts2": 3})

servers = st.sampled_from(SERVERS)
loads = st.builds(Load, st.integers(0, 6), st.sampled_from([0.0, 0.5, 2.0]))
happenings = st.one_of(
    st.tuples(st.just("seen"), servers, st.builds(Sight, loads)),
    st.tuples(st.just("silent"), servers),
    st.tuples(st.just("forget"), servers),
    st.tuples(st.just("drain"), st.sets(servers.map(lambda server: server.name), max_size=3)),
    st.tuples(st.just("lease"), st.sampled_from("abcdef"), st.just("desk"), servers),
    st.tuples(st.just("later"), st.sampled_from([1.0, LEASE_SECONDS])),
)


@pytest.fixture
def farm() -> Farm:
    return Farm()


@pytest.mark.parametrize("selector", [LeastLoaded(), FewestSessions()], ids=type)
@settings(deadline=None)
@given(story=st.lists(happenings, max_size=25))
def test_however_the_farm_changes_the_least_full_server_is_picked(selector, story):
    clock = FakeClock()
    farm = Farm(clock)
    board = Board(farm, SERVERS, SAID, selector)
    for what, *how in story:
        if what == "later":
            clock.now += how[0]
        elif what == "lease":
            farm.leases.promise(*how)
        else:
            getattr(farm, what)(*how)
        figures = {c.server: selector.figure(c) for c in farm.candidates(SERVERS, SAID)}
        picked = board.pick(ALICE)
        assert picked or not figures
        if picked:
            assert picked in farm.candidates(SERVERS, SAID)
            assert figures[picked.server] == min(figures.values())


def test_many_changes_between_two_picks_are_all_seen(farm: Farm):
    board = Board(farm, SERVERS[:2], Settings(), LeastLoaded())
    board.pick(ALICE)
    farm.seen(ONE, Sight(Load(9)))
    for number in range(REMEMBERED):
        farm.seen(TWO, Sight(Load(1 + number % 2)))
    picked = board.pick(ALICE)
    assert picked
    assert picked.server == TWO


@pytest.mark.parametrize("selector", [First(), LeastLoaded()], ids=type)
def test_a_server_to_avoid_is_picked_only_where_there_is_no_other(farm: Farm, selector):
    board = Board(farm, SERVERS, Settings(), selector)
    for other in SERVERS[1:]:
        farm.seen(other, Sight(Load(9)))
    picked = board.pick(ALICE, avoid=[ONE])
    assert picked
    assert picked.server != ONE
    assert board.pick(ALICE, avoid=SERVERS)
    assert not Board(farm, (), Settings(), selector).pick(ALICE)


@pytest.mark.parametrize("selector", [First(), LeastLoaded()], ids=type)
def test_with_a_port_no_other_is_picked_even_where_all_should_be_avoided(farm: Farm, selector):
    board = Board(farm, SERVERS, Settings(), selector)
    farm.seen(TWO, Sight(Load(9)))
    picked = board.pick(ALICE, avoid=SERVERS, port=23)
    assert picked
    assert picked.server.port == 23
    assert not board.pick(ALICE, port=24)


def test_equal_servers_are_picked_in_no_order(farm: Farm):
    boards = [Board(farm, SERVERS, Settings(), LeastLoaded()) for _ in range(200)]
    picks = [board.pick(ALICE) for board in boards]
    assert {picked.server for picked in picks if picked} == set(SERVERS)


def test_a_board_serves_whoever_would_get_the_same_one(farm: Farm):
    board = Board(farm, SERVERS, SAID, LeastLoaded())
    assert board.serves([*SERVERS], SAID)
    assert board.serves(SERVERS, SAID.new_only())
    assert not board.serves(SERVERS[1:], SAID)
    assert not board.serves(SERVERS, Settings())
