"""``usher revoke``: no login of a user counts any longer."""

from __future__ import annotations

import argparse
import time

from usher.commands.daemon import tell
from usher.config import load


def run(arguments: argparse.Namespace) -> int:
    """Tell the daemon; when none runs, the store alone, which the next one will read."""
    config, name = load(arguments.config), arguments.user
    later = f"No daemon is running; {name} will have to log in again at the next one."
    return tell(config, "revoke", name, lambda store: store.revoke(name, time.time()), later)
