"""The command line."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

from usher import logs
from usher.assembly import Parts, assemble, inspect
from usher.cgi import ask
from usher.config import Socket, core, load
from usher.errors import ConfigError
from usher.model import Client, client_at
from usher.plugins import build
from usher.ports import Store

CONFIG = Path("/etc/usher/usher.toml")


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit status: 2 for a wrong configuration, 1 for anything else that failed."""
    arguments = parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"usher: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """What can be asked for, and how."""
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "-c", "--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}"
    )
    made = argparse.ArgumentParser(prog="usher", description="An X2Go session broker.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", parents=[config], help="run the broker")
    serve.set_defaults(run=_serve)

    check = commands.add_parser("check", parents=[config], help="tell all that is misconfigured")
    check.set_defaults(run=_check)

    why = commands.add_parser("why", parents=[config], help="explain what a user may see")
    why.add_argument("user", metavar="USER")
    why.add_argument("profile", metavar="PROFILE", nargs="?", help="only this profile")
    why.add_argument(
        "--client", type=client_at, default="127.0.0.1", metavar="ADDR", help="default: 127.0.0.1"
    )
    why.set_defaults(run=_why)

    revoke = commands.add_parser("revoke", parents=[config], help="end all logins of a user")
    revoke.add_argument("user", metavar="USER")
    revoke.set_defaults(run=_revoke)

    demo = commands.add_parser("demo", help="run a broker with made-up users and servers")
    demo.add_argument("--port", type=int, default=8080, metavar="N", help="default: 8080")
    demo.set_defaults(run=_demo)
    return made


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
    _, faults = inspect(load(arguments.config))
    for fault in faults:
        print(fault)
    if any(not fault.warning for fault in faults):
        return 2
    print(f"{arguments.config}: fine", file=sys.stderr)
    return 0


def _why(arguments: argparse.Namespace) -> int:
    logging.disable()  # the answer matters here; check tells of the warnings
    parts = assemble(load(arguments.config))
    return asyncio.run(_explain(parts, arguments.user, arguments.profile, arguments.client))


async def _explain(parts: Parts, username: str, wanted: str | None, client: Client) -> int:
    """Print the verdict about every profile, or the wanted one, and the rule that made it."""
    user = await parts.directory.user(username)
    groups = ", ".join(sorted(user.groups)) or "none"
    print(f"{username}, in groups: {groups}, at {client.address}")
    catalogue = await parts.profiles.profiles(user)
    profiles = [p for p in catalogue.profiles if wanted in (None, p.id, p.section)]
    for profile in profiles:
        verdict = catalogue.why(profile, user, client)
        said = "visible" if verdict else "hidden"
        print(f"{profile.section or profile.id}: {said}: {verdict.why}")
    if wanted and not profiles:
        print(f"there is no profile {wanted!r}: see usher check", file=sys.stderr)
        return 1
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    """Tell the daemon; when none runs, the store alone, which the next one will read."""
    config = load(arguments.config)
    store, path = build(Store, config.table("store")), core(config, Socket).path
    try:
        status, _, body = ask(str(path), "admin revoke", arguments.user.encode())
    except (FileNotFoundError, ConnectionRefusedError):
        asyncio.run(store.revoke(arguments.user, time.time()))
        print(f"No daemon is running; {arguments.user} will have to log in again at the next one.")
        return 0
    print(body.decode().rstrip(), file=sys.stdout if status == 200 else sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
