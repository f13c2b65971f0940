"""What every selector promises, and what each of ours does beyond it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usher.farm import LEASE_SECONDS, Farm
from usher.model import Candidate, Load, Server, Sight, User
from usher.ports import Selector
from usher.selection.first import First
from usher.selection.least_loaded import LeastLoaded

ALICE = User("alice", frozenset({"staff"}))
SELECTORS = {"first": First, "least_loaded": LeastLoaded}
SERVERS = [Server(f"desk{number}", f"192.0.2.{number}") for number in range(1, 9)]

unhurried = settings(deadline=None)
loads = st.builds(Load, st.integers(0, 500), st.floats(0, 64))
candidates = st.lists(st.sampled_from(SERVERS), min_size=1, unique=True).flatmap(
    lambda servers: st.tuples(
        *(st.builds(Candidate, st.just(server), loads, st.integers(0, 50)) for server in servers)
    )
)


def storm(farm: Farm, servers: list[Server], logins: int) -> Counter[str]:
    """Send as many new users to the servers; how many each one got."""
    selector = LeastLoaded()
    chosen = Counter({server.name: 0 for server in servers})
    for number in range(logins):
        user = User(f"user{number}")
        server = selector.select(farm.candidates(servers), user)
        farm.lease(user.name, "desktop", server)
        chosen[server.name] += 1
    return chosen


@pytest.fixture(params=SELECTORS.values(), ids=SELECTORS)
def selector(request):
    return request.param()


def test_it_fits_the_port(selector):
    assert isinstance(selector, Selector)


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS)
@unhurried
@given(offered=candidates)
def test_it_picks_one_of_the_candidates(make, offered):
    assert make().select(offered, ALICE) in [candidate.server for candidate in offered]


@unhurried
@given(offered=candidates)
def test_first_keeps_to_the_order_however_full_the_first_is(offered):
    assert First().select(offered, ALICE) == offered[0].server


@unhurried
@given(offered=candidates)
def test_least_loaded_finds_nobody_with_more_room(offered):
    chosen = LeastLoaded().select(offered, ALICE)
    places = {c.server: c.load.sessions + c.leases for c in offered}
    assert places[chosen] == min(places.values())


def test_least_loaded_takes_the_calmer_of_two_with_as_many_sessions():
    busy, calm = Candidate(SERVERS[0], Load(2, 3.0)), Candidate(SERVERS[1], Load(2, 0.1))
    assert LeastLoaded().select([busy, calm], ALICE) == calm.server


def test_least_loaded_counts_a_promised_place_like_a_session():
    promised, taken = Candidate(SERVERS[0], Load(), leases=2), Candidate(SERVERS[1], Load(1))
    assert LeastLoaded().select([promised, taken], ALICE) == taken.server


@unhurried
@given(count=st.integers(1, len(SERVERS)), logins=st.integers(0, 100), load=loads)
def test_a_storm_of_logins_spreads_evenly_over_equal_servers(count, logins, load):
    farm = Farm(clock=lambda: 0.0)
    for server in SERVERS[:count]:
        farm.seen(server, Sight(load))
    places = storm(farm, SERVERS[:count], logins)
    assert places.total() == logins
    assert max(places.values()) - min(places.values()) <= 1


@unhurried
@given(sessions=st.lists(st.integers(0, 20), min_size=2, max_size=len(SERVERS)))
def test_a_storm_of_logins_fills_unequal_servers_up_to_one_level(sessions):
    farm, servers = Farm(clock=lambda: 0.0), SERVERS[: len(sessions)]
    for server, number in zip(servers, sessions, strict=True):
        farm.seen(server, Sight(Load(number)))
    logins = sum(max(sessions) - number for number in sessions)
    places = storm(farm, servers, logins)
    assert {places[s.name] + n for s, n in zip(servers, sessions, strict=True)} == {max(sessions)}


def test_a_storm_spares_a_server_that_is_down():
    farm = Farm(clock=lambda: 0.0)
    farm.silent(SERVERS[0])
    assert storm(farm, SERVERS[:3], 40) == {"desk1": 0, "desk2": 20, "desk3": 20}


def test_places_that_were_promised_and_never_taken_are_free_again():
    now = 0.0
    farm = Farm(clock=lambda: now)
    farm.lease("alice", "desktop", SERVERS[0])
    assert storm(farm, SERVERS[:2], 1) == {"desk1": 0, "desk2": 1}
    now = LEASE_SECONDS
    assert [candidate.leases for candidate in farm.candidates(SERVERS[:2])] == [0, 0]
