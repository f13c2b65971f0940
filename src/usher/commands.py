"""What the commands do; the daemon and what it needs are imported where they run.

So the other commands answer at once. Each returns the exit status.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from usher import checks, logs
from usher.assembly import inspect
from usher.config import Config, core, load
from usher.errors import ConfigError
from usher.orders import DRAINED
from usher.plugins import Builder, build
from usher.ports import Checked, Directory, ProfileSource, Store
from usher.ssh import ask
from usher.tables import Socket


def serve(arguments: argparse.Namespace) -> int:
    """Run the broker until it is told to stop."""
    from usher.app import serve

    logs.start(logging.INFO)
    serve(load(arguments.config.absolute()), _announce)
    return 0


def _announce(urls: list[str]) -> None:
    print("usher: ready on", *urls, file=sys.stderr, flush=True)


def demo(arguments: argparse.Namespace) -> int:
    """Run a broker with made-up users and servers."""
    from usher.demo import run

    logs.start(logging.WARNING)
    return run(arguments.port)


def check(arguments: argparse.Namespace) -> int:
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


def why(arguments: argparse.Namespace) -> int:
    """Needs nothing but the directory and the profiles; what else is wrong, check tells."""
    logging.disable()
    config = load(arguments.config)
    builder = Builder({Store: lambda: build(Store, config.table("store"))})
    directory = builder.build(Directory, config.table("directory"))
    profiles = builder.build(ProfileSource, config.table("profiles"))
    faults = profiles.faults() if isinstance(profiles, Checked) else ()
    if fatal := [fault for fault in faults if fault.fatal]:
        raise ConfigError(fatal)
    try:
        visible = asyncio.run(_explain(directory, profiles, arguments))
    except Exception as error:  # noqa: BLE001 - a plugin may be anybody's
        print(f"usher: a plugin failed: {error or type(error).__name__}", file=sys.stderr)
        return 1
    if visible and arguments.profile:  # where no daemon runs, that much is all there is to say
        _of_the_daemon(config, "place", f"{arguments.user}\0{arguments.profile}")
    return 0 if visible is not None else 1


async def _explain(
    directory: Directory, source: ProfileSource, asked: argparse.Namespace
) -> list[str] | None:
    """Print the verdict about every profile, or the wanted one, and the rule that made it.

    Return the ids of the visible ones, or None when there is no profile of that name.
    """
    username, wanted, client = asked.user, asked.profile, asked.client
    user = await directory.user(username)
    groups = ", ".join(sorted(user.groups)) or "none"
    print(f"{username}, in groups: {groups}, at {client.address}")
    catalogue = await source.profiles(user)
    profiles = [p for p in catalogue.profiles if wanted in (None, p.id, p.section)]
    visible = []
    for profile in profiles:
        verdict = catalogue.why(profile, user, client)
        visible += [profile.id] * bool(verdict)
        said = "visible" if verdict else "hidden"
        print(f"{profile.section or profile.id}: {said}: {verdict.why}")
    if wanted and not profiles:
        print(f"there is no profile {wanted!r} for {username}: see usher check", file=sys.stderr)
        return None
    return visible


def revoke(arguments: argparse.Namespace) -> int:
    """Tell the daemon; when none runs, the store alone, which the next one will read."""
    config, name = load(arguments.config), arguments.user
    later = f"No daemon is running; {name} will have to log in again at the next one."
    return _tell(config, "revoke", name, lambda store: store.revoke(name, time.time()), later)


def drain(arguments: argparse.Namespace) -> int:
    """Let a server take no new sessions."""
    config, name = load(arguments.config), arguments.host
    later = f"No daemon is running; {name} will take no new sessions from the next one."
    return _tell(config, "drain", name, lambda store: store.keep(DRAINED, name, ""), later)


def undrain(arguments: argparse.Namespace) -> int:
    """Let a server take new sessions again."""
    config, name = load(arguments.config), arguments.host
    later = f"No daemon is running; {name} will take new sessions from the next one."
    return _tell(config, "undrain", name, lambda store: store.drop(DRAINED, name), later)


def hosts(arguments: argparse.Namespace) -> int:
    """Show the servers, trust one, or tell what one needs."""
    from usher import hosts

    config = load(arguments.config)
    match arguments.action, arguments.host:
        case None, None:
            return _of_the_daemon(config, "hosts", "")
        case "trust", str(name):
            return hosts.trust(config, name)
        case "install", str(name):
            return hosts.install(config, name, apply=arguments.apply)
    print("usher hosts: write trust or install, and a HOST", file=sys.stderr)
    return 2


def totp(arguments: argparse.Namespace) -> int:
    """Enroll a user, remove one, or show who is enrolled."""
    from usher import totp

    config = load(arguments.config)
    match arguments.action, arguments.user:
        case None | "list", None:
            return totp.show(config)
        case "enroll", str(name) if name:
            return totp.enroll(config, name)
        case "remove", str(name) if name:
            return totp.remove(config, name)
    print("usher totp: write list, or enroll or remove and a USER", file=sys.stderr)
    return 2


Change = Callable[[Store], Coroutine[Any, Any, None]]


def _tell(config: Config, order: str, name: str, change: Change, later: str) -> int:
    """Give an order; without a daemon, make the change in the store."""
    try:
        return _order(config, order, name)
    except (FileNotFoundError, ConnectionRefusedError):
        asyncio.run(change(build(Store, config.table("store"))))
        print(later)
        return 0


def _of_the_daemon(config: Config, order: str, body: str) -> int:
    """What only a running daemon knows."""
    try:
        return _order(config, order, body)
    except (FileNotFoundError, ConnectionRefusedError):
        print("usher: no daemon is running, and only it knows the servers", file=sys.stderr)
        return 1


def _order(config: Config, order: str, body: str) -> int:
    """What the running daemon says to an order. Raises OSError when none runs."""
    path = core(config, Socket).path
    status, _, said = ask(str(path), f"admin {order}", body.encode())
    print(said.decode().rstrip(), file=sys.stdout if status == 200 else sys.stderr)
    return 0 if status == 200 else 1
