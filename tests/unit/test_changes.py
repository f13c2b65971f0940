"""Whoever follows hears of every change, or that there were too many to tell."""

from __future__ import annotations

from itertools import cycle, islice

from usher.changes import NEVER, REMEMBERED, Changes
from usher.model import Server

ONE, TWO = Server("ts1", "192.0.2.1"), Server("ts2", "192.0.2.2")


def test_each_follower_hears_what_is_new_to_them():
    changes = Changes()
    _, early = changes.since(NEVER)
    changes.add(ONE)
    _, late = changes.since(early)
    changes.add(TWO)
    assert changes.since(early)[0] == [ONE, TWO]
    assert changes.since(late)[0] == [TWO]


def test_who_has_never_looked_must_look_at_everybody():
    assert Changes().since(NEVER)[0] is None


def test_a_change_to_all_is_told_to_all():
    changes = Changes()
    _, mark = changes.since(NEVER)
    changes.add_all()
    told, mark = changes.since(mark)
    assert told is None
    changes.add(ONE)
    assert changes.since(mark)[0] == [ONE]


def test_who_comes_late_hears_everything_or_is_told_that_it_is_too_much():
    changes = Changes()
    _, mark = changes.since(NEVER)
    for number, server in enumerate(islice(cycle([ONE, TWO]), 5 * REMEMBERED), start=1):
        changes.add(server)
        told, _ = changes.since(mark)
        assert told is None or len(told) == number
        assert told or number > REMEMBERED
    assert len(changes._log) <= 2 * REMEMBERED
