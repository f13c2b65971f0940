"""``usher drain``: no new sessions on a server; those that are there go on."""

from __future__ import annotations

import argparse

from usher.commands.daemon import tell
from usher.config import load
from usher.orders import DRAINED


def run(arguments: argparse.Namespace) -> int:
    """Let a server take no new sessions."""
    config, name = load(arguments.config), arguments.host
    later = f"No daemon is running; {name} will take no new sessions from the next one."
    return tell(config, "drain", name, lambda store: store.keep(DRAINED, name, ""), later)
