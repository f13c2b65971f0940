"""``usher demo``: a broker to play with, with made-up servers and a line for every decision."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from usher import logs
from usher.app import serve
from usher.audit import Decision
from usher.config import Config, load
from usher.errors import ConfigError

CONFIG = """\
[http]
port = {port}

[authenticator]
type = "static"

[authenticator.users]
alice = "wonder"
bob = "builder"
"jürgen" = "grüßgott"
guest = "welcome"

[directory]
type = "flat"

[directory.groups]
staff = ["alice", "jürgen"]
developers = ["alice", "bob"]

[profiles]
type = "inifile"
path = "profiles.conf"

[agent]
type = "simulated"
slow = ["desk4"]
dying = ["desk5"]

[store]
type = "sqlite"
path = "state"

[socket]
path = "usher.sock"
relays = []
"""

PROFILES = """\
[DEFAULT]
command = XFCE
width = 1280
height = 800
host = desk1, desk2, desk3, desk4, desk5

[desktop]
name = Desktop

[office]
name = Büro · Schreibtisch
command = MATE
host = desk1, desk2
acl-groups-allow = staff

[accounting]
name = Büro · Buchhaltung (Straße, Höhe, €)
command = gnucash
host = desk3
acl-users-allow = jürgen

[workshop]
name = Workshop; five servers
command = KDE
fullscreen = true
acl-groups-allow = developers

[fragile]
name = Workshop; one server that dies and comes back
host = desk5
acl-groups-allow = developers

[applications]
name = Applications only
published = true
acl-users-deny = guest
acl-groups-allow = ALL
"""

INTRODUCTION = """\
Usher is running at {url}
with five simulated servers, desk1 to desk5: sessions come and go on them, desk4 answers late,
desk5 dies and comes back. These are the users:

{users}

Paste this into another terminal. What alice may see:

  curl -d user=alice -d password=wonder -d task=listsessions {url}plain/

The first line of the answer stands for her password from then on. With it, where is she sent?

  AUTHID=$(curl -s -d user=alice -d password=wonder {url}plain/ | sed -n s/^AUTHID://p)
  curl -d user=alice -d authid=$AUTHID -d task=selectsession -d sid=workshop {url}plain/

What Python X2Go would be told, and a wrong password:

  curl -d user=alice -d password=wonder -d task=listprofiles {url}json/
  curl -d user=alice -d password=wrong -d task=listsessions {url}plain/

The real clients (both need a screen); they list and select, but there is no desk to reach:

  x2goclient --broker-url={url}plain/
  pyhoca-cli --broker-url={pyhoca} --broker-password=wonder --list-profiles

What the broker decides, until you press Ctrl-C:
"""

TAKEN = "usher: port {port} is taken; choose another: usher demo --port N, or make demo PORT=N"


def run(arguments: argparse.Namespace) -> int:
    """Run the broker on loopback until Ctrl-C, in a folder that is gone afterwards.

    Port 0 lets the system choose. Return the exit status: 1 if the port is taken.
    """
    logs.start(logging.WARNING)
    port = arguments.port
    with TemporaryDirectory(prefix="usher-demo-") as folder:
        config = _write(Path(folder), port)
        try:
            serve(config, partial(_introduce, config), listener=_tell)
        except ConfigError as error:
            if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
            print(TAKEN.format(port=port), file=sys.stderr)
            return 1
    return 0


def _write(folder: Path, port: int) -> Config:
    (folder / "profiles.conf").write_text(PROFILES, encoding="utf-8")
    file = folder / "usher.toml"
    file.write_text(CONFIG.format(port=port), encoding="utf-8")
    return load(file)


def _introduce(config: Config, urls: list[str]) -> None:
    users = "\n".join(_users(config))
    pyhoca = urls[0].replace("://", "://alice@") + "json/"
    _say(INTRODUCTION.format(url=urls[0], users=users, pyhoca=pyhoca))


def _users(config: Config) -> Iterator[str]:
    """A line for every user: password and groups."""
    yield "  user    password  groups"
    groups = config.table("directory").values["groups"]
    for name, password in config.table("authenticator").values["users"].items():
        of = ", ".join(group for group, members in groups.items() if name in members)
        yield f"  {name:<7} {password:<9} {of}".rstrip()


def _tell(decision: Decision) -> None:
    """Print a decision: when, who, what, which profile, and what came of it."""
    when = time.strftime("%H:%M:%S", time.localtime(decision.time))
    outcome = f"to {decision.server}" if decision.server else decision.outcome
    why = f": {decision.detail}" if decision.detail else ""
    wish = f"{decision.task} {decision.profile}"
    line = f"{when}  {decision.user:<7} {wish:<24} {outcome}{why}"
    _say(line if line.isprintable() else ascii(line))


def _say(text: str) -> None:
    """Print it. When nobody can read it any more, the demonstration is over."""
    try:
        print(text, flush=True)
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # for what is still to be flushed
        signal.raise_signal(signal.SIGTERM)
