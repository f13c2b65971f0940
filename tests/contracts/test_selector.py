"""What every selector promises, and what each of ours does beyond it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from usher.farm import NOTHING_SAID, Farm
from usher.leases import LEASE_SECONDS
from usher.model import Candidate, Load, Server, Sight, User
from usher.ports import Ranking, Selector
from usher.selection.fewest_sessions import FewestSessions
from usher.selection.first import First
from usher.selection.least_loaded import LeastLoaded
from usher.selection.load_factor import LoadFactor
from usher.selection.random import AnyServer
from usher.selection.user_hash import UserHash
from usher.selection.weighted_random import WeightedRandom
from usher.settings import Settings

ALICE = User("alice", frozenset({"staff"}))
SELECTORS = {
    "fewest_sessions": FewestSessions,
    "first": First,
    "least_loaded": LeastLoaded,
    "load_factor": LoadFactor,
    "random": AnyServer,
    "user_hash": UserHash,
    "weighted_random": WeightedRandom,
}
SERVERS = [Server(f"desk{number}", f"192.0.2.{number}") for number in range(1, 9)]

unhurried = hypothesis_settings(deadline=None)
loads = st.builds(Load, st.integers(0, 500), st.floats(0, 64))
candidates = st.lists(st.sampled_from(SERVERS), min_size=1, unique=True).flatmap(
    lambda servers: st.tuples(
        *(st.builds(Candidate, st.just(server), loads, st.integers(0, 50)) for server in servers)
    )
)


def storm(
    farm: Farm,
    servers: list[Server],
    logins: int,
    selector: Selector | None = None,
    settings: Settings = NOTHING_SAID,
) -> Counter[str]:
    """Send as many new users to the servers; how many each one got."""
    selector = selector or LeastLoaded()
    chosen = Counter({server.name: 0 for server in servers})
    for number in range(logins):
        user = User(f"user{number}")
        server = selector.select(farm.candidates(servers, settings), user)
        farm.leases.promise(user.name, "desktop", server)
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


@pytest.mark.parametrize("make", [LeastLoaded, FewestSessions])
@unhurried
@given(offered=candidates)
def test_who_ranks_selects_one_with_the_lowest_figure(make, offered):
    selector = make()
    assert isinstance(selector, Ranking)
    figures = {candidate.server: selector.figure(candidate) for candidate in offered}
    assert figures[selector.select(offered, ALICE)] == min(figures.values())


@unhurried
@given(offered=candidates)
def test_first_keeps_to_the_order_however_full_the_first_is(offered):
    assert First().select(offered, ALICE) == offered[0].server


@unhurried
@given(offered=candidates)
def test_least_loaded_takes_nobody_who_is_fuller_in_every_way(offered):
    chosen = LeastLoaded().select(offered, ALICE)
    taken = next(candidate for candidate in offered if candidate.server is chosen)
    for other in offered:
        assert not (other.sessions < taken.sessions and other.load.per_core <= taken.load.per_core)


@unhurried
@given(offered=candidates)
def test_fewest_sessions_finds_nobody_with_fewer(offered):
    chosen = FewestSessions().select(offered, ALICE)
    places = {candidate.server: candidate.sessions for candidate in offered}
    assert places[chosen] == min(places.values())


@pytest.mark.parametrize("make", [LeastLoaded, FewestSessions])
def test_a_server_of_twice_the_weight_takes_twice_as_many(make):
    farm, weights = Farm(clock=lambda: 0.0), Settings(weights={"desk1": 2.0})
    places = storm(farm, SERVERS[:2], 30, make(), weights)
    assert places == {"desk1": 20, "desk2": 10}


def test_a_server_takes_no_more_than_its_cap():
    farm, caps = Farm(clock=lambda: 0.0), Settings(caps={"desk1": 3})
    assert storm(farm, SERVERS[:2], 30, LeastLoaded(), caps) == {"desk1": 3, "desk2": 27}


def test_least_loaded_prefers_the_server_with_free_memory():
    full = Candidate(SERVERS[0], Load(2, 0.1, free_memory=0.05))
    free = Candidate(SERVERS[1], Load(2, 0.1, free_memory=0.6))
    assert LeastLoaded().select([full, free], ALICE) == free.server


def test_weighted_random_takes_nobody_of_no_weight_worth_speaking_of():
    light, heavy = (
        Candidate(s, Load(), weight=w) for s, w in zip(SERVERS, (1e-12, 1.0), strict=False)
    )
    assert {WeightedRandom().select([light, heavy], ALICE) for _ in range(50)} == {heavy.server}


@unhurried
@given(offered=candidates, name=st.text(max_size=8))
def test_user_hash_moves_only_the_users_of_a_server_that_is_lost(offered, name):
    home = UserHash().select(offered, User(name))
    others = [candidate for candidate in offered[::-1] if candidate.server != home]
    assert UserHash().select(offered[::-1], User(name)) == home
    for lost in others:
        assert UserHash().select([c for c in offered if c is not lost], User(name)) == home


def test_user_hash_gives_every_server_its_share_of_the_users():
    offered = [Candidate(server, Load()) for server in SERVERS[:4]]
    homes = Counter(UserHash().select(offered, User(f"user{n}")).name for n in range(2000))
    assert all(400 < number < 600 for number in homes.values())


@pytest.mark.parametrize(
    ("loads", "chosen"),
    [
        ([Load(3, factor=400), Load(3, factor=500)], 1),
        ([Load(1, factor=100), Load(4, factor=300)], 1),
        ([Load(0), Load(90, factor=1)], 1),
        ([Load(0), Load(0)], 0),
        ([Load(0, factor=7), Load(0, factor=7)], 0),
    ],
)
def test_load_factor_follows_the_formula_of_the_load_checker(loads, chosen):
    offered = [Candidate(server, load) for server, load in zip(SERVERS, loads, strict=False)]
    assert LoadFactor().select(offered, ALICE) == SERVERS[chosen]


@pytest.mark.parametrize("make", SELECTORS.values(), ids=SELECTORS)
@unhurried
@given(offered=candidates)
def test_every_selector_can_say_what_counts(make, offered):
    for candidate in offered:
        assert make().why(candidate, ALICE)


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
    farm.leases.promise("alice", "desktop", SERVERS[0])
    assert storm(farm, SERVERS[:2], 1) == {"desk1": 0, "desk2": 1}
    now = LEASE_SECONDS
    assert [candidate.leases for candidate in farm.candidates(SERVERS[:2])] == [0, 0]
