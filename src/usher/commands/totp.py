"""``usher totp``: who has one-time codes. A running daemon shares the store, and needs no word."""

from __future__ import annotations

import argparse
import asyncio
import sys
from io import StringIO

import segno

from usher.commands.asking import agreed
from usher.config import Config, load
from usher.enrolment import Enrolments, Handout
from usher.plugins import build
from usher.ports import Store


def run(arguments: argparse.Namespace) -> int:
    """Enroll a user, remove one, or show who is enrolled."""
    config = load(arguments.config)
    match arguments.action, arguments.user:
        case None | "list", None:
            return show(config)
        case "enroll", str(name) if name:
            return enroll(config, name)
        case "remove", str(name) if name:
            return remove(config, name)
    print("usher totp: write list, or enroll or remove and a USER", file=sys.stderr)
    return 2


def enroll(config: Config, username: str) -> int:
    """Give a user a secret, and print it. Return the exit status."""
    enrolments = _enrolments(config)
    if asyncio.run(enrolments.knows(username)):
        print(f"{username} is enrolled. A new secret makes the old one and its codes void.")
        if not agreed("Replace it?"):
            print("Nothing was changed.")
            return 1
    _show(username, asyncio.run(enrolments.enroll(username)))
    return 0


def remove(config: Config, username: str) -> int:
    """Take a user's secret away."""
    enrolments = _enrolments(config)
    if not asyncio.run(enrolments.knows(username)):
        raise OSError(f"{username} is not enrolled")
    asyncio.run(enrolments.remove(username))
    print(f"{username} is not enrolled any more.")
    return 0


def show(config: Config) -> int:
    """Print who is enrolled."""
    for name in asyncio.run(_enrolments(config).names()):
        print(name)
    return 0


def _enrolments(config: Config) -> Enrolments:
    return Enrolments(build(Store, config.table("store")))


def _show(username: str, handout: Handout) -> None:
    drawn = StringIO()
    segno.make_qr(handout.uri).terminal(drawn, compact=True)
    for line in drawn.getvalue().splitlines():
        # White on black, whatever the terminal's own colours: not every app reads the reverse.
        print(f"\033[97;40m{line}\033[0m" if sys.stdout.isatty() else line)
    print(f"For {username}, to be scanned with an authenticator app; or type there:")
    print(f"  {handout.secret}\n")
    print("Recovery codes, each good once instead of a code:")
    for code in handout.recovery:
        print(f"  {code}")
    print("\nThis is shown once.")
