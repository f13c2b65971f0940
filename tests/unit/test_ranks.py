"""The lowest is found whatever has changed before, and nothing outdated is kept for long."""

from __future__ import annotations

from random import Random

import pytest

from usher.model import Candidate, Load, Server, User
from usher.ranks import SPARE, Ranks

SERVERS = [Server(f"ts{number}", f"192.0.2.{number}") for number in range(9)]
ALICE = User("alice")


@pytest.fixture
def ranks() -> Ranks:
    return Ranks(lambda candidate: candidate.load.per_core)


def loaded(server: Server, figure: float) -> Candidate:
    return Candidate(server, Load(per_core=figure))


@pytest.mark.parametrize("seed", range(5))
def test_after_any_number_of_changes_the_lowest_is_found(ranks: Ranks, seed):
    random, figures = Random(seed), dict[Server, float]()
    for _ in range(20 * SPARE):
        server, figure = random.choice(SERVERS), random.choice([0.5, 1.0, 2.0, 3.0, None])
        ranks.put(server, None if figure is None else loaded(server, figure))
        if figure is None:
            figures.pop(server, None)
        else:
            figures[server] = figure
        barred = random.sample(SERVERS, random.choice([0, 0, 1, 3, 9]))
        allowed = {s: f for s, f in figures.items() if s not in barred}
        picked = ranks.pick(ALICE, barred)
        lowest = min(allowed.values(), default=None)
        assert (picked and allowed[picked.server]) == lowest


def test_one_that_changes_all_the_time_takes_no_more_room(ranks: Ranks):
    for number in range(100 * SPARE):
        ranks.put(SERVERS[0], loaded(SERVERS[0], -number))
    assert len(ranks._heap) <= SPARE + 3
    assert ranks.pick(ALICE, ())
