"""From a name in the configuration to a living plugin."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from usher.config import Table, arguments, suggest
from usher.errors import ConfigError, Fault

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
        raise ConfigError([blame(error, table, {**_defaults(factory), **given}, "type")]) from error
    if not isinstance(plugin, port):
        message = f"{name} does not fit the port {port.__name__}: see usher/ports.py"
        raise ConfigError([table.fault("type", message)])
    return plugin


def blame(error: Exception, table: Table, given: Mapping[str, Any], key: str) -> Fault:
    """The fault of the option that leads to the file which an OSError names; else of ``key``."""
    file = error.filename if isinstance(error, OSError) else None
    if file is None or not isinstance(error, OSError):
        return table.fault(key, str(error))
    paths = {option: value for option, value in given.items() if isinstance(value, str | Path)}
    guilty = next((o for o, path in paths.items() if Path(str(file)).is_relative_to(path)), key)
    return table.fault(guilty, f"{file}: {error.strerror}")


def _defaults(factory: Any) -> Mapping[str, Any]:
    return {name: p.default for name, p in inspect.signature(factory).parameters.items()}
