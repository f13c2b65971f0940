"""From a name in the configuration to a living plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from usher.config import Table, arguments, suggest
from usher.errors import ConfigError, Fault
from usher.ports import KINDS

T = TypeVar("T")


def installed(kind: str) -> dict[str, EntryPoint]:
    """Every plugin of a kind, ours and strangers', by the name that ``type`` gives it."""
    return {point.name: point for point in entry_points(group=f"usher.{kind}")}


House = Mapping[type, Callable[[], object]]
"""What a constructor is given that asks for it by annotation, and no option can change."""


class Builder:
    """Builds plugins, and those inside them: ``inner`` are the latter, as they were built."""

    def __init__(self, house: House = MappingProxyType({})) -> None:
        self._house = house
        self.inner: list[object] = []

    def build(self, port: type[T], table: Table) -> T:
        """Build the plugin that ``type`` names, with the other options as arguments.

        Raises ConfigError when there is no such plugin, or it does not take these options.
        """
        factory = _factory(KINDS[port], table)
        given = arguments(factory, table, self._house, self._build_inner)
        try:
            plugin = factory(**given, **self._gifts(factory))
        except (ValueError, OSError) as error:
            options = {**_defaults(factory), **given}
            raise ConfigError([blame(error, table, options, "type")]) from error
        if not isinstance(plugin, port):
            message = f"{table.values['type']} does not fit the port {port.__name__}"
            raise ConfigError([table.fault("type", f"{message}: see usher/ports.py")])
        return plugin

    def _build_inner(self, port: type, table: Table) -> object:
        plugin: object = self.build(port, table)
        self.inner.append(plugin)
        return plugin

    def _gifts(self, factory: Callable[..., object]) -> Mapping[str, object]:
        wanted = inspect.signature(factory, eval_str=True).parameters.items()
        house = self._house
        return {name: house[p.annotation]() for name, p in wanted if p.annotation in house}


def build(port: type[T], table: Table) -> T:
    """Build a plugin to which the house gives nothing. Raises ConfigError."""
    return Builder().build(port, table)


def _factory(kind: str, table: Table) -> Callable[..., object]:
    known = installed(kind)
    name = table.values.get("type")
    if name is None:
        raise ConfigError([table.fault("type", f"is needed: {suggest('', known)}")])
    if not isinstance(name, str) or name not in known:
        message = f"unknown type {name!r}: {suggest(str(name), known)}"
        raise ConfigError([table.fault("type", message)])
    try:
        factory: Callable[..., object] = known[name].load()
    except (ImportError, AttributeError) as error:
        message = f"{name} is installed and cannot be loaded: {error}"
        raise ConfigError([table.fault("type", message)]) from error
    return factory


def blame(error: Exception, table: Table, given: Mapping[str, Any], key: str) -> Fault:
    """The fault of the option that the error begins with, or leads to its file; else of ``key``."""
    file = error.filename if isinstance(error, OSError) else None
    if file is None or not isinstance(error, OSError):
        option, _, message = str(error).partition(" ")
        return table.fault(option, message) if option in given else table.fault(key, str(error))
    paths = {option: value for option, value in given.items() if isinstance(value, str | Path)}
    guilty = next((o for o, path in paths.items() if Path(str(file)).is_relative_to(path)), key)
    return table.fault(guilty, f"{file}: {error.strerror}")


def _defaults(factory: Any) -> Mapping[str, Any]:
    return {name: p.default for name, p in inspect.signature(factory).parameters.items()}
