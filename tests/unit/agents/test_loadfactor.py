"""The figure of the existing load checker."""

from __future__ import annotations

import pytest

from usher.agents import words
from usher.agents.loadfactor import load_factor
from usher.agents.ssh import read_load


@pytest.mark.parametrize(
    ("available_mb", "cores", "mhz", "busy", "factor"),
    [
        (23475, 2, 2597, 197, 61892),
        (8000, 4, 3000, 1, 9600000),
        (8000, 4, 3000, 0, 9600000),
        (8000, 4, 0, 100, 32000),
        (0, 4, 3000, 100, 0),
    ],
)
def test_it_is_memory_times_processors_for_each_hundredth_of_a_load_average(
    available_mb, cores, mhz, busy, factor
):
    assert load_factor(available_mb, cores, mhz, busy) == factor


def test_either_agent_gives_a_server_the_same_figure():
    line = b"""{"event":"load","load":[1.5,3.0,1.5],"cores":8,"mhz":2600,
        "memory_mb":32000,"available_mb":30000}"""
    told = words.read(line)
    assert isinstance(told, words.Told)
    said = ["loadavgXX:201", "memAvail:30000", "myMemAvail:1", "numCPU:8", "typeCPU:2600"]
    assert words.load_of(told, 3).factor == read_load(said).factor > 0
