"""Whatever happens at eight o'clock: properties of placing, on farms that are not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import pytest
from fakes import FakeAgent, FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from usher.agents.simulated import SimulatedFarm
from usher.errors import NoServer
from usher.farm import Farm
from usher.leases import LEASE_SECONDS
from usher.model import Load, Profile, Selection, Server, Session, Sight, State, User
from usher.placing import Placer
from usher.ports import Selector
from usher.selection.fewest_sessions import FewestSessions
from usher.selection.first import First
from usher.selection.least_loaded import LeastLoaded
from usher.selection.random import AnyServer
from usher.selection.user_hash import UserHash
from usher.selection.weighted_random import WeightedRandom
from usher.sessions import Sessions
from usher.settings import Settings

unhurried = settings(deadline=None)
few = settings(deadline=None, max_examples=5)
level = pytest.mark.parametrize("selector", [LeastLoaded(), FewestSessions()], ids=type)
any_selector = pytest.mark.parametrize(
    "selector",
    [LeastLoaded(), FewestSessions(), First(), AnyServer(), UserHash(), WeightedRandom()],
    ids=type,
)
sizes = st.integers(1, 12)


def servers(count: int) -> tuple[Server, ...]:
    return tuple(Server(f"ts{number}", f"ts{number}") for number in range(count))


def session(user: str, server: Server) -> Session:
    return Session(f"{user}-50-1795414336_stDXFCE_dp24", user, server.name, State.RUNNING, 50)


@dataclass
class Site:
    """One profile for some servers, and what everybody is told who selects it."""

    count: int
    selector: Selector
    settings: Settings = Settings()

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.farm = Farm(self.clock)
        agent, self.servers = FakeAgent(), servers(self.count)
        self.profile = Profile("desk", self.servers, {}, settings=self.settings)
        sessions = Sessions(agent, self.farm, self.clock)
        self.placer = Placer(agent, self.farm, sessions, self.selector, {})

    async def select(self, user: str) -> Selection:
        return await self.placer.place(self.profile, self.servers, User(user))

    async def storm(self, logins: int, kind: str = "user") -> list[Server]:
        """Where so many new users are sent, one after the other."""
        return [(await self.select(f"{kind}{number}")).server for number in range(logins)]

    def tell(self, server: Server, *users: str, **load: float) -> None:
        """The server has sessions of these users."""
        told = tuple(session(user, server) for user in users)
        self.farm.seen(server, Sight(Load(len(told), **load), told))  # type: ignore[arg-type]

    def look(self, simulated: SimulatedFarm, at: float, whom: Iterable[Server]) -> None:
        """What a monitor does, without the waiting."""
        for server in whom:
            moment = simulated.moment(server.name, at)
            try:
                if not moment.up or moment.delay > 10:
                    raise TimeoutError
                self.farm.seen(server, moment.sight())
            except (TimeoutError, ValueError):
                self.farm.silent(server)

    def places(self) -> list[int]:
        """How many sessions each server that may be had has or is promised."""
        candidates = self.farm.candidates(self.servers, self.settings)
        return [candidate.sessions for candidate in candidates]


@level
@unhurried
@given(count=sizes, arriving=st.lists(st.booleans(), max_size=80))
async def test_on_equal_servers_no_storm_leaves_one_more_than_one_session_above_another(
    selector, count, arriving
):
    site, there = Site(count, selector), {server: [] for server in servers(count)}
    for number, arrives in enumerate(arriving):
        chosen = (await site.select(f"user{number}")).server
        there[chosen].append(f"user{number}")
        if arrives:
            site.tell(chosen, *there[chosen])
        numbers = [len(users) for users in there.values()]
        assert max(numbers) - min(numbers) <= 1


@level
@unhurried
@given(before=st.lists(st.integers(0, 9), min_size=2, max_size=8), logins=st.integers(0, 60))
async def test_a_lighter_server_catches_up_and_is_not_flooded(selector, before, logins):
    site = Site(len(before), selector)
    for server, number in zip(site.servers, before, strict=True):
        site.tell(server, *(f"old{server.name}.{n}" for n in range(number)))
    for number in range(logins):
        fewest = min(site.places())
        chosen = site.servers.index((await site.select(f"user{number}")).server)
        assert site.places()[chosen] == fewest + 1


@level
@unhurried
@given(weights=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2, max_size=6))
async def test_servers_fill_in_proportion_to_their_weights(selector, weights):
    names = [server.name for server in servers(len(weights))]
    site = Site(len(weights), selector, Settings(weights=dict(zip(names, weights, strict=True))))
    sent = Counter(await site.storm(60))
    shares = [(sent[server], weight) for server, weight in zip(site.servers, weights, strict=True)]
    for number, weight in shares:
        assert all(number / weight <= (other + 1) / of_other for other, of_other in shares)


@any_selector
@unhurried
@given(caps=st.lists(st.integers(1, 5), min_size=1, max_size=6))
async def test_every_cap_is_kept_and_when_all_are_full_nobody_is_sent_anywhere(selector, caps):
    names = [server.name for server in servers(len(caps))]
    site = Site(len(caps), selector, Settings(caps=dict(zip(names, caps, strict=True))))
    sent = Counter(await site.storm(sum(caps)))
    assert [sent[server] for server in site.servers] == caps
    with pytest.raises(NoServer) as refused:
        await site.select("one-too-many")
    assert refused.value.detail.count("it is full") == len(caps)


@any_selector
@unhurried
@given(story=st.lists(st.tuples(st.sampled_from(["dead", "back", "drain", "login"]), sizes)))
async def test_nobody_is_ever_sent_to_a_dead_drained_or_full_server(selector, story):
    site = Site(12, selector, Settings(caps={"ts0": 1}))
    dead, drained, sent = set(), set(), Counter()
    for number, (what, which) in enumerate(story):
        server = site.servers[which - 1]
        if what == "dead":
            site.farm.silent(server)
            dead.add(server)
        elif what == "back":
            site.tell(server)
            dead.discard(server)
        elif what == "drain":
            drained ^= {server}
            site.farm.drain(other.name for other in drained)
        else:
            free = {*site.servers} - dead - drained - ({site.servers[0]} if sent["ts0"] else set())
            try:
                chosen = (await site.select(f"user{number}")).server
            except NoServer:
                assert not free
            else:
                assert chosen in free
                sent[chosen.name] += 1


@few
@given(seed=st.integers(0, 1000), second=st.integers(0, 600))
async def test_only_sessions_of_the_user_on_servers_that_are_up_are_ever_offered(seed, second):
    names = [server.name for server in servers(20)]
    simulated = SimulatedFarm(seed, people=30, users=100, dying=names[:10], lying=names[5:15])
    site = Site(20, LeastLoaded())
    for at in (second, second + 2, second + 4):
        site.look(simulated, at, site.servers)
        moments = {server: simulated.moment(server.name, at) for server in site.servers}
        offered = 0
        for number in range(100):
            for own in (await site.select(f"user{number}")).sessions:
                assert moments[own.server].up
                assert own.session in moments[own.server].sessions
                assert own.session.user == f"user{number}"
                offered += 1
        assert offered


@any_selector
@unhurried
@given(logins=st.integers(1, 20), arrivals=st.integers(0, 20))
async def test_a_promise_ends_when_its_session_appears_or_its_time_is_over(
    selector, logins, arrivals
):
    site = Site(4, selector)
    sent = await site.storm(logins)
    for server in site.servers:
        users = [f"user{n}" for n, where in enumerate(sent[:arrivals]) if where == server]
        site.tell(server, *users)
    assert sum(site.places()) == logins
    assert sum(s.promised for s in site.farm.states()) == max(logins - arrivals, 0)
    site.clock.now += LEASE_SECONDS
    assert sum(site.places()) == min(logins, arrivals)


@any_selector
@unhurried
@given(count=st.integers(2, 8), others=st.integers(0, 20), times=st.integers(2, 6))
async def test_who_selects_again_is_sent_elsewhere_and_counts_once(selector, count, others, times):
    site = Site(count, selector)
    await site.storm(others, "other")
    sent = [(await site.select("alice")).server for _ in range(times)]
    assert all(one != other for one, other in zip(sent, sent[1:], strict=False))
    assert sum(site.places()) == others + 1


@few
@given(seed=st.integers(0, 1000))
async def test_a_thousand_logins_in_ten_seconds_while_one_server_in_twenty_dies(seed):
    names = [server.name for server in servers(500)]
    dying, lying = names[::20], names[1::100]
    simulated = SimulatedFarm(seed, people=0, dying=dying, lying=lying)
    site, known = Site(500, LeastLoaded()), set()
    site.look(simulated, seed, site.servers)
    for number in range(1000):
        second = number / 100
        looked_at = [s for place, s in enumerate(site.servers) if place % 200 == number % 200]
        site.look(simulated, seed + second, looked_at)
        chosen = (await site.select(f"user{number}")).server
        assert site.farm.is_up(chosen)
        known.add(chosen)
    assert max(site.places()) <= ceil(1000 / (500 - len(dying) - len(lying))) + 1
    assert len(known) > 450
