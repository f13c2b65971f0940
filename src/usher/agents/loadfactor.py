"""The figure of the load checker that existing brokers have: how much a server has to give."""

from __future__ import annotations

UNKNOWN_MHZ = 1000
"""What a processor counts as whose clock nobody tells: the others still have to be compared."""


def load_factor(available_mb: int, cores: int, mhz: int, busy: float) -> int:
    """Of memory and processors, for each hundredth of a load average; ``busy`` is one at least."""
    return int(available_mb / 1000 * cores * (mhz or UNKNOWN_MHZ) * 100 / max(busy, 1))
