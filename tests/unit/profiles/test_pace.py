"""Much work leaves room for others, and is whole in the end."""

from __future__ import annotations

import asyncio
import gc

import pytest

from usher.profiles import pace
from usher.profiles.pace import Steps, at_once, dropped, gathered, in_turns, nothing_collected


def counted(turns: list[int]) -> Steps[int]:
    for number in range(10):
        turns.append(number)
        yield
    return 42


async def test_the_event_loop_goes_on_between_two_steps(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pace, "TURN_SECONDS", 0.0)
    turns: list[int] = []
    seen = []
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(in_turns(counted(turns)))
        while not work.done():
            await asyncio.sleep(0)
            seen.append(len(turns))
    assert work.result() == 42
    assert len(set(seen)) == 10


@pytest.mark.parametrize("run", [at_once, lambda steps: asyncio.run(in_turns(steps))])
def test_the_result_is_the_same_wherever_it_is_worked_on(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pace, "REST_SECONDS", 0.0)
    assert run(counted([])) == asyncio.run(asyncio.to_thread(at_once, counted([]))) == 42
    assert run(gathered("abc")) == ["a", "b", "c"]


def test_what_is_dropped_goes_one_by_one():
    items = [*"abc"]
    left = [len(items) for _ in dropped(items)]
    assert left == [2, 1, 0]


def test_the_collector_rests_meanwhile_and_works_again_whatever_happens():
    with pytest.raises(KeyError), nothing_collected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.unfreeze()
