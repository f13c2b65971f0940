"""The command line."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import ArgumentTypeError
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path

from usher.errors import ConfigError
from usher.model import Client, client_at

CONFIG = Path("/etc/usher/usher.toml")

Parser = argparse.ArgumentParser


def main(argv: list[str] | None = None) -> int:
    """Run a command. Exit status: 2 for a wrong configuration, 1 for anything else that failed."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every locale has every name
    arguments = _parse(argv)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever was to read it has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"usher: {told}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    """Import what the command needs, and no more: so every one answers at once."""
    if arguments.command is None:
        print(parser().format_help(), end="")
        return 0
    status: int = import_module(f"usher.commands.{arguments.command}").run(arguments)
    return status


def _parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line. An option may stand between the names.

    argparse closes the list of names at the first option, and leaves over what comes after.
    """
    made = parser()
    arguments, rest = made.parse_known_args(argv)
    for name in ("profile", "host", "user"):
        if getattr(arguments, name, "") is None and rest and not rest[0].startswith("-"):
            setattr(arguments, name, rest.pop(0))
    if rest:
        made.error(f"unrecognized arguments: {' '.join(rest)}")
    return arguments


def parser() -> argparse.ArgumentParser:
    """What can be asked for, and how."""
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "-c", "--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}"
    )
    made = argparse.ArgumentParser(prog="usher", description="An X2Go session broker.")
    made.add_argument("--version", action="version", version=f"usher {version('x2go-usher')}")
    added = made.add_subparsers(metavar="COMMAND", dest="command")

    def command(name: str, about: str, *above: Parser) -> Parser:
        described = f"{about[0].upper()}{about[1:]}."
        return added.add_parser(name, help=about, description=described, parents=above)

    command("serve", "run the broker", config)
    command("check", "tell all that is misconfigured", config)
    _why(command("why", "explain what a user may see", config))
    revoke = command("revoke", "end all logins of a user", config)
    revoke.add_argument("user", type=_user, metavar="USER", help="as they log in")
    _hosts(command("hosts", "show the X2Go Servers, or set one up", config))
    _totp(command("totp", "give users one-time codes, or take them away", config))
    for name, about in _DRAINS.items():
        drain = command(name, about, config)
        drain.add_argument("host", type=_host, metavar="HOST", help="as the profiles name it")
    demo = command("demo", "run a broker with made-up users and servers")
    demo.add_argument("--port", type=_port, default=8080, metavar="N", help="default: 8080")
    return made


_DRAINS = {
    "drain": "let a server take no new sessions",
    "undrain": "let a server take new sessions again",
}


def _why(why: Parser) -> None:
    why.add_argument("user", type=_user, metavar="USER", help="as they log in")
    about = "only this profile, and what speaks for each of its servers"
    why.add_argument("profile", metavar="PROFILE", nargs="?", help=about)
    where = "the client's address; default: 127.0.0.1"
    why.add_argument("--client", type=_client, default="127.0.0.1", metavar="ADDR", help=where)


def _hosts(hosts: Parser) -> None:
    what = "trust: show a server's host key and add it; install: print what a server needs"
    known = ["trust", "install"]
    hosts.add_argument("action", nargs="?", choices=known, metavar="trust|install", help=what)
    hosts.add_argument("host", nargs="?", metavar="HOST", help="as the profiles name it")
    hosts.add_argument("--apply", action="store_true", help="with install: do it, by ssh as root")


def _totp(totp: Parser) -> None:
    what = (
        "enroll: a new secret, shown once; remove: no more codes; list (the default): who has one"
    )
    known = ["enroll", "remove", "list"]
    totp.add_argument("action", nargs="?", choices=known, metavar="enroll|remove|list", help=what)
    totp.add_argument("user", type=_user, nargs="?", metavar="USER", help="as they log in")


def _client(text: str) -> Client:
    try:
        return client_at(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no address: write 192.0.2.7") from error


def _user(text: str) -> str:
    if not text:
        raise ArgumentTypeError("is empty: write the user's name")
    if not text.isprintable():
        raise ArgumentTypeError(f"{ascii(text)} is no name, or is not UTF-8")
    return text


def _host(text: str) -> str:
    if not text:
        raise ArgumentTypeError("is empty: write the server's name")
    return text


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise ArgumentTypeError(f"{text} is no port: write 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
