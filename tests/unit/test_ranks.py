"""The lowest is found whatever has changed before, and nothing outdated is kept for long."""

from __future__ import annotations

from random import Random

import pytest

from usher.ranks import SPARE, Ranks


@pytest.mark.parametrize("seed", range(5))
def test_after_any_number_of_changes_the_lowest_is_found(seed):
    random, ranks = Random(seed), Ranks()
    figures: dict[int, float] = {}
    for _ in range(20 * SPARE):
        number, figure = random.randrange(9), random.choice([0.5, 1, 2, 3, None])
        ranks.put(number, figure)
        if figure is None:
            figures.pop(number, None)
        else:
            figures[number] = figure
        barred = random.sample(range(9), random.choice([0, 0, 1, 3, 9]))
        allowed = {n: f for n, f in figures.items() if n not in barred}
        found = ranks.lowest(barred)
        lowest = min(allowed.values(), default=None)
        assert (None if found is None else allowed[found]) == lowest


def test_one_that_changes_all_the_time_takes_no_more_room():
    ranks = Ranks()
    for number in range(100 * SPARE):
        ranks.put(0, -number)
    assert len(ranks._heap) <= SPARE + 3
    assert ranks.lowest() == 0
