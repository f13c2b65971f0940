"""``usher undrain``: new sessions on a server again."""

from __future__ import annotations

import argparse

from usher.commands.daemon import tell
from usher.config import load
from usher.orders import DRAINED


def run(arguments: argparse.Namespace) -> int:
    """Let a server take new sessions again."""
    config, name = load(arguments.config), arguments.host
    later = f"No daemon is running; {name} will take new sessions from the next one."
    return tell(config, "undrain", name, lambda store: store.drop(DRAINED, name), later)
