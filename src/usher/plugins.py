"""From a name in the configuration to a living plugin."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from usher.config import Table, arguments, suggest
from usher.errors import ConfigError

T = TypeVar("T")


def installed(kind: str) -> dict[str, EntryPoint]:
    """Every plugin of a kind, ours and strangers', by the name that ``type`` gives it."""
    return {point.name: point for point in entry_points(group=f"usher.{kind}")}


def build(port: type[T], table: Table) -> T:
    """Build the plugin that ``type`` names, with the other options as arguments.

    Raises ConfigError when there is no such plugin, or it does not take these options.
    """
    known = installed(table.name)
    name = table.values.get("type")
    if not isinstance(name, str) or name not in known:
        message = f"unknown type {name!r}: {suggest(str(name), known)}"
        raise ConfigError([table.fault("type", message)])
    try:
        factory = known[name].load()
    except (ImportError, AttributeError) as error:
        message = f"{name} is installed and cannot be loaded: {error}"
        raise ConfigError([table.fault("type", message)]) from error
    given = arguments(factory, table)
    try:
        plugin = factory(**given)
    except (ValueError, OSError) as error:
        raise ConfigError([table.fault("type", str(error))]) from error
    if not isinstance(plugin, port):
        message = f"{name} does not fit the port {port.__name__}: see usher/ports.py"
        raise ConfigError([table.fault("type", message)])
    return plugin
