"""``usher serve``: the broker."""

from __future__ import annotations

import argparse
import logging
import sys

from usher import logs
from usher.app import serve
from usher.config import load


def run(arguments: argparse.Namespace) -> int:
    """Run the broker until it is told to stop."""
    logs.start(logging.INFO)
    serve(load(arguments.config.absolute()), _announce)
    return 0


def _announce(urls: list[str]) -> None:
    print("usher: ready on", *urls, file=sys.stderr, flush=True)
