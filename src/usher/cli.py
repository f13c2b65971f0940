"""The command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from usher import checks, logs
from usher.assembly import inspect
from usher.cgi import ask
from usher.config import Socket, core, load
from usher.errors import ConfigError
from usher.model import Client, client_at
from usher.plugins import build
from usher.ports import Checked, Directory, ProfileSource, Store

CONFIG = Path("/etc/usher/usher.toml")

Run = Callable[[argparse.Namespace], int]
"""Does what a command says, and returns the exit status."""


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit status: 2 for a wrong configuration, 1 for anything else that failed."""
    arguments = parser().parse_args(argv)
    try:
        run: Run = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"usher: {told}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """What can be asked for, and how."""
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "-c", "--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}"
    )
    made = argparse.ArgumentParser(prog="usher", description="An X2Go session broker.")
    made.add_argument("--version", action="version", version=f"usher {version('x2go-usher')}")
    made.set_defaults(run=lambda _: print(made.format_help(), end="") or 0)
    commands = made.add_subparsers(metavar="COMMAND")

    def command(name: str, run: Run, about: str, **more: Any) -> argparse.ArgumentParser:
        described = f"{about[0].upper()}{about[1:]}."
        added = commands.add_parser(name, help=about, description=described, **more)
        added.set_defaults(run=run)
        return added

    command("serve", _serve, "run the broker", parents=[config])
    command("check", _check, "tell all that is misconfigured", parents=[config])
    why = command("why", _why, "explain what a user may see", parents=[config])
    why.add_argument("user", type=_user, metavar="USER", help="as they log in")
    why.add_argument("profile", metavar="PROFILE", nargs="?", help="only this profile")
    where = "the client's address; default: 127.0.0.1"
    why.add_argument("--client", type=_client, default="127.0.0.1", metavar="ADDR", help=where)
    revoke = command("revoke", _revoke, "end all logins of a user", parents=[config])
    revoke.add_argument("user", type=_user, metavar="USER", help="as they log in")
    demo = command("demo", _demo, "run a broker with made-up users and servers")
    demo.add_argument("--port", type=_port, default=8080, metavar="N", help="default: 8080")
    return made


def _client(text: str) -> Client:
    try:
        return client_at(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no address: write 192.0.2.7") from error


def _user(text: str) -> str:
    if not text:
        raise ArgumentTypeError("is empty: write the user's name")
    return text


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise ArgumentTypeError(f"{text} is no port: write 1 to 65535")
    return int(text)


# The daemon and what it needs are imported where they run: the other commands answer at once.


def _serve(arguments: argparse.Namespace) -> int:
    from usher.app import serve

    logs.start(logging.INFO)
    serve(load(arguments.config.absolute()), _announce)
    return 0


def _announce(urls: list[str]) -> None:
    print("usher: ready on", *urls, file=sys.stderr, flush=True)


def _demo(arguments: argparse.Namespace) -> int:
    from usher.demo import run

    logs.start(logging.WARNING)
    return run(arguments.port)


def _check(arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    _, found = inspect(config)
    faults = sorted({*found, *checks.start(config)})
    for fault in faults:
        print(fault)
    if any(not fault.warning for fault in faults):
        return 2
    print(f"{arguments.config}: fine", file=sys.stderr)
    return 0


def _why(arguments: argparse.Namespace) -> int:
    """Needs nothing but the directory and the profiles; what else is wrong, check tells."""
    logging.disable()
    config = load(arguments.config)
    directory = build(Directory, config.table("directory"))
    profiles = build(ProfileSource, config.table("profiles"))
    faults = profiles.faults() if isinstance(profiles, Checked) else ()
    if fatal := [fault for fault in faults if fault.fatal]:
        raise ConfigError(fatal)
    try:
        return asyncio.run(_explain(directory, profiles, arguments))
    except Exception as error:  # noqa: BLE001 - a plugin may be anybody's
        print(f"usher: a plugin failed: {error or type(error).__name__}", file=sys.stderr)
        return 1


async def _explain(directory: Directory, source: ProfileSource, asked: argparse.Namespace) -> int:
    """Print the verdict about every profile, or the wanted one, and the rule that made it."""
    username, wanted, client = asked.user, asked.profile, asked.client
    user = await directory.user(username)
    groups = ", ".join(sorted(user.groups)) or "none"
    print(f"{username}, in groups: {groups}, at {client.address}")
    catalogue = await source.profiles(user)
    profiles = [p for p in catalogue.profiles if wanted in (None, p.id, p.section)]
    for profile in profiles:
        verdict = catalogue.why(profile, user, client)
        said = "visible" if verdict else "hidden"
        print(f"{profile.section or profile.id}: {said}: {verdict.why}")
    if wanted and not profiles:
        print(f"there is no profile {wanted!r} for {username}: see usher check", file=sys.stderr)
        return 1
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    """Tell the daemon; when none runs, the store alone, which the next one will read."""
    config = load(arguments.config)
    path = core(config, Socket).path
    try:
        status, _, body = ask(str(path), "admin revoke", arguments.user.encode())
    except (FileNotFoundError, ConnectionRefusedError):
        store = build(Store, config.table("store"))
        asyncio.run(store.revoke(arguments.user, time.time()))
        print(f"No daemon is running; {arguments.user} will have to log in again at the next one.")
        return 0
    print(body.decode().rstrip(), file=sys.stdout if status == 200 else sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
