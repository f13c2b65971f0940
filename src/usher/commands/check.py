"""``usher check``: everything that is wrong, in one run."""

from __future__ import annotations

import argparse
import sys

from usher import checks
from usher.assembly import inspect
from usher.config import load
from usher.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Tell all that is misconfigured."""
    try:
        config = load(arguments.config)
        faults = sorted({*inspect(config)[1], *checks.start(config)})
    except ConfigError as error:
        faults = [*error.faults]
    for fault in faults:
        print(fault)
    if any(not fault.warning for fault in faults):
        return 2
    print(f"{arguments.config}: fine", file=sys.stderr)
    return 0
