"""Writes docs/reference.md: whatever can be configured, called or refused, as the code has it."""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from starlette.routing import Route

from usher import cli, config, errors, options, plugins, ports, settings, tables
from usher.frontends import guard, http
from usher.profiles.reading import BUILT_IN
from usher.profiles.rules import ACL_KEYS
from usher.wire import form

PAGE = Path(__file__).with_name("reference.md")

HEAD = """# Reference

Written by `make docs` from the code; do not edit. [admin.md](admin.md) says how to use it.
"""

TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "list[str]": "list of texts",
    "list[Path]": "list of paths",
    "dict[str, str]": "table: name = text",
    "dict[str, list[str]]": "table: name = list of texts",
    **{port.__name__: f"table: another `[{kind}]`" for port, kind in ports.KINDS.items()},
}

Row = Sequence[object]


def page() -> str:
    """The whole reference page."""
    parts = (configuration(), profile_keys(), commands(), doors(), refusals(), signatures())
    return "\n".join([HEAD, *(line for part in parts for line in part)]) + "\n"


def configuration() -> Iterator[str]:
    """Every table of the configuration file."""
    yield "## The configuration file\n"
    yield f"TOML; `{cli.CONFIG}` unless `-c` says otherwise. A path is relative to the file's"
    yield "folder. A table that is missing has its defaults.\n"
    for name, schema in tables.CORE.items():
        defaults = schema()
        yield f"### [{name}]\n"
        yield f"{summary(schema)}\n"
        yield from options_of(schema, lambda option, _: getattr(defaults, option))  # noqa: B023
    for kind in config.DEFAULTS:
        yield f"### [{kind}]\n"
        without = toml(config.DEFAULTS[kind]["type"])
        yield f"`type` is one of these; without the table, `{without}`."
        yield f"Entry points of plugins: `usher.{kind}`.\n"
        for point in ours(plugins.installed(kind).values()):
            plugin = point.load()
            yield f"#### type = {toml(point.name)}\n"
            yield f"{summary(plugin)}\n"
            house = () if kind == "store" else (ports.Store,)
            yield from options_of(plugin, lambda _, parameter: parameter.default, house)


def ours(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """The entry points of this package; others may be installed beside it."""
    return sorted((p for p in points if p.value.startswith("usher.")), key=attrgetter("name"))


def options_of(
    factory: type,
    default_of: Callable[[str, inspect.Parameter], object],
    house: Sequence[type] = (),
) -> Iterator[str]:
    """The table of a constructor's options."""
    parameters = inspect.signature(factory).parameters
    about = described(factory, house)
    rows = [
        (code(name), kind_of(parameters[name]), default(default_of(name, parameters[name])), told)
        for name, told in about.items()
    ]
    if rows:
        yield from table(("option", "type", "default", "meaning"), rows)
    else:
        yield "No options.\n"


def summary(thing: object) -> str:
    """The docstring up to the lines about options."""
    paragraphs = (inspect.getdoc(thing) or "").replace("``", "`").split("\n\n")
    return "\n\n".join(p for p in paragraphs if not re.match(r"\w+: ", p))


def described(factory: type, house: Sequence[type] = ()) -> Mapping[str, str]:
    """The docstring's ``name: what it is`` lines. Raises LookupError when one is missing."""
    about = dict(re.findall(r"^(\w+): (.+)$", inspect.getdoc(factory) or "", re.MULTILINE))
    options = config.options(factory, house)
    for name in options:
        if name not in about:
            raise LookupError(f"the docstring of {factory.__qualname__} has no line for {name!r}")
    return {name: about[name] for name in options}


def kind_of(parameter: inspect.Parameter) -> str:
    """An annotation in an administrator's words."""
    annotation = str(parameter.annotation).removesuffix(" | None")
    return TYPES.get(annotation, code(annotation))


def default(value: object) -> str:
    """A default as the file would have it."""
    if value is inspect.Parameter.empty:
        return "needed"
    return "none" if value is None else code(toml(value))


def toml(value: Any) -> str:
    """A value in TOML's notation."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def profile_keys() -> Iterator[str]:
    """The keys of a session profile."""
    yield "## Profile keys\n"
    yield f"{len(options.KEYS)} keys that clients read. *Profile file*: what is sent for a key that"
    yield "is missing there. *x2goclient*, *python-x2go*: what these assume where nothing is sent;"
    yield "`–`: does not read it.\n"
    heads = ("key", "type", "Profile file", "x2goclient", "python-x2go", "allowed", "meaning")
    yield from table(heads, map(key_row, options.KEYS.values()))
    yield "About these the two clients assume different things, so python-x2go is always told:"
    yield f"{codes(options.EXPLICIT_IN_JSON)}.\n"
    yield "Who may see a profile ([admin.md](admin.md#61-who-sees-a-profile)):"
    yield f"{codes(ACL_KEYS)}.\n"
    yield "For the broker itself:\n"
    rows = [(code(name), item.metadata["about"]) for name, item in settings.KEYS.items()]
    yield from table(("key", "meaning"), rows)
    yield f"Known from earlier brokers, and without effect: {codes(settings.IDLE)}.\n"
    yield "Any other key goes to x2goclient as it stands, and `usher check` warns of it.\n"


def key_row(key: options.Key) -> Row:
    """One key of a profile."""
    allowed = ", ".join(code(toml(choice)) for choice in key.choices)
    built_in = code(toml(BUILT_IN[key.name].value)) if key.name in BUILT_IN else ""
    clients = assumed(key.x2goclient), assumed(key.python_x2go)
    return code(key.name), key.kind, built_in, *clients, allowed, key.about


def assumed(value: object) -> str:
    """What a client takes a missing key for."""
    words = {options.Missing.NO: "–", options.Missing.UNKNOWN: "depends on the client"}
    return words[value] if isinstance(value, options.Missing) else code(toml(value))


def commands() -> Iterator[str]:
    """The command line."""
    yield "## Commands\n"
    yield f"{summary(cli.main)}\n"
    for action in cli.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {choice.dest: choice.help for choice in action._choices_actions}
            for name, parser in action.choices.items():
                yield f"### usher {name}\n"
                yield f"{str(about[name]).capitalize()}.\n"
                yield from arguments_of(name, parser)
    for point in ours(entry_points(group="console_scripts")):
        if point.module != cli.__name__:
            yield f"### {point.name}\n"
            yield f"{summary(import_module(point.module))}\n"


def arguments_of(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """How to call a command."""
    actions = [action for action in parser._actions if action.dest != "help"]
    yield "```text"
    yield " ".join(["usher", name, *map(usage, actions)])
    yield "```\n"
    rows = [
        (", ".join(map(code, action.option_strings)) or code(str(action.metavar)), action.help)
        for action in actions
        if action.help
    ]
    yield from table(("argument", "meaning"), rows)


def usage(action: argparse.Action) -> str:
    """An argument as it stands in a usage line."""
    words = " ".join(filter(None, [*action.option_strings[:1], str(action.metavar or "")]))
    return words if action.required else f"[{words}]"


def doors() -> Iterator[str]:
    """What the HTTP port answers, and its limits."""
    yield "## HTTP\n"

    async def nobody(_: object) -> Any: ...

    routes = http.http_app(nobody).routes
    rows = [
        (code(re.sub(r"{.*}", "…", route.path)), ", ".join(sorted(route.methods or ())))
        for route in routes
        if isinstance(route, Route)
    ]
    yield from table(("path", "methods"), rows)
    limits = (
        ("bytes of a header", guard.HEADER_BYTES),
        ("bytes of a body", http.BODY_BYTES),
        ("fields in a form", form.MAX_FIELDS),
        *((f"characters of `{name}`", most) for name, most in form.MAX_LENGTH.items()),
        ("characters of any other field", form.MAX_LENGTH_OF_OTHERS),
    )
    yield from table(("at most", ""), limits)
    about = described(guard.Patience)
    seconds = ((about[field.name], field.default) for field in fields(guard.Patience))
    yield from table(("seconds that a client has", ""), filter(itemgetter(1), seconds))


def refusals() -> Iterator[str]:
    """Every error that the code knows by name."""
    yield "## Refusals\n"
    yield "`outcome` stands in the audit line; the sentence is all that a client is ever told. An"
    yield "answer that is no refusal has the outcome `granted`; a fault of ours has `bug`, and the"
    yield "incident number in the log.\n"
    rows = [
        (code(error.__name__), code(error.reason), summary(error))
        for error in descendants(errors.BrokerError)
    ]
    yield from table(("error", "outcome", "sentence"), rows)
    yield f"`ConfigError`: {inspect.getdoc(errors.ConfigError)}\n"


def descendants(error: type[errors.BrokerError]) -> Iterator[type[errors.BrokerError]]:
    """The error and those below it, as the tree is drawn."""
    yield error
    for child in error.__subclasses__():
        yield from descendants(child)


def signatures() -> Iterator[str]:
    """Every port, for those who write plugins."""
    yield "## Ports\n"
    yield "[plugins.md](plugins.md) says how to write one.\n"
    for name, port in vars(ports).items():
        if inspect.getmodule(port) is ports and getattr(port, "_is_protocol", False):
            yield f"### {name}\n"
            yield f"```python\n{inspect.getsource(port)}```\n"


def table(heads: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """A Markdown table, and an empty line."""
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
    yield ""


def codes(texts: Iterable[str]) -> str:
    """Texts as code, in order."""
    return ", ".join(map(code, sorted(texts)))


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


if __name__ == "__main__":
    sys.exit(PAGE.write_text(page(), encoding="utf-8") == 0)
