"""``usher why``: what a user may see, and where they would be sent."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from usher.access import Catalogue
from usher.commands.daemon import of_the_daemon
from usher.config import load
from usher.errors import ConfigError
from usher.model import User
from usher.plugins import Builder, build
from usher.ports import Checked, Directory, ProfileSource, Store


def run(arguments: argparse.Namespace) -> int:
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
        user, catalogue = asyncio.run(_ask(directory, profiles, arguments.user))
    except Exception as error:  # noqa: BLE001 - a plugin may be anybody's
        print(f"usher: a plugin failed: {error or type(error).__name__}", file=sys.stderr)
        return 1
    visible = _explain(catalogue, user, arguments)
    if visible and arguments.profile:  # where no daemon runs, that much is all there is to say
        of_the_daemon(config, "place", f"{arguments.user}\0{arguments.profile}")
    return 0 if visible is not None else 1


async def _ask(
    directory: Directory, source: ProfileSource, username: str
) -> tuple[User, Catalogue]:
    user = await directory.user(username)
    return user, await source.profiles(user)


def _explain(catalogue: Catalogue, user: User, asked: argparse.Namespace) -> list[str] | None:
    """Print the verdict about every profile, or the wanted one, and the rule that made it.

    Return the ids of the visible ones, or None when there is no profile of that name.
    """
    wanted, client = asked.profile, asked.client
    groups = ", ".join(sorted(user.groups)) or "none"
    print(f"{asked.user}, in groups: {groups}, at {client.address}")
    profiles = [p for p in catalogue.profiles if wanted in (None, p.id, p.section)]
    visible = []
    for profile in profiles:
        verdict = catalogue.why(profile, user, client)
        visible += [profile.id] * bool(verdict)
        said = "visible" if verdict else "hidden"
        print(f"{profile.section or profile.id}: {said}: {verdict.why}")
    if wanted and not profiles:
        print(f"there is no profile {wanted!r} for {asked.user}: see usher check", file=sys.stderr)
        return None
    return visible
