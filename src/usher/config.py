"""The configuration file: TOML into checked tables, and every fault with its line.

A constructor is the schema of its table: its parameters are the options, their annotations the
types, their defaults the defaults. That holds for the classes of ``tables`` and every plugin.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec

from usher import tables
from usher.errors import ConfigError, Fault
from usher.places import NOT_UTF8
from usher.ports import KINDS

T = TypeVar("T")

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "authenticator": {"type": "pam"},
    "directory": {"type": "nss"},
    "profiles": {"type": "inifile"},
    "selector": {"type": "least_loaded"},
    "agent": {"type": "none"},
    "store": {"type": "sqlite"},
}
"""The tables that name plugins, and the type they have when the file does not say."""

MOST_SYNTAX_FAULTS = 100
"""Whoever has more has taken another file for the configuration."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file. Faults found in it know their line."""

    file: Path
    name: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def inner(self, key: str, values: Mapping[str, Any]) -> Table:
        """A table within this one."""
        return Table(self.file, f"{self.name}.{key}", values, self.lines)

    def fault(self, key: str, message: str, *, warning: bool = False) -> Fault:
        """Something wrong with a key of this table (or, with no key, the whole table)."""
        name = around = f"{self.name}.{key}" if key else self.name
        while around and around not in self.lines:
            around = around.rpartition(".")[0]
        return Fault(self.file, self.lines.get(around, 1), name, message, warning)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration file, parsed."""

    file: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def table(self, name: str) -> Table:
        """The table of that name, with the default type."""
        given = self.values.get(name)
        values = given if isinstance(given, dict) else {}  # anything else is one of the faults
        return Table(self.file, name, {**DEFAULTS.get(name, {}), **values}, self.lines)

    def table_of(self, schema: type) -> Table:
        """The table that this dataclass describes."""
        return self.table(next(name for name, known in tables.CORE.items() if known is schema))

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def faults(self) -> Sequence[Fault]:
        """Names at the top of the file that are no tables of ours."""
        known = {*tables.CORE, *DEFAULTS}
        top = Table(self.file, "", self.values, self.lines)
        return [
            Fault(self.file, self.lines.get(name, 1), name, message)
            for name, value in top.values.items()
            if (message := _wrong_table(name, value, known))
        ]


def load(path: Path) -> Config:
    """Read the configuration file. Raises ConfigError when it cannot be read as TOML."""
    data = b""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
        return Config(path, tomllib.loads(text), _lines(text))
    except OSError as error:
        remedy = "write one" if isinstance(error, FileNotFoundError) else "have it readable"
        message = f"cannot be read: {error.strerror}: {remedy}, or name another with -c"
        raise ConfigError([Fault(path, 1, "file", message)]) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault(path, line, "syntax", NOT_UTF8)]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([*_syntax(path, text)]) from error


def _syntax(path: Path, text: str) -> Iterator[Fault]:
    """What the parser says about a file that is no TOML, with every line where it stops."""
    lines = text.rstrip("\n").split("\n")
    for _ in range(MOST_SYNTAX_FAULTS):
        try:
            tomllib.loads("\n".join(lines))
            return
        except tomllib.TOMLDecodeError as error:
            message, _, place = str(error).partition(" (at ")
        found = re.search(r"line (\d+)", place)
        number = int(found[1]) if found else len(lines)  # "at end of document"
        remedy = ": text needs quotes" if message == "Invalid value" else ""
        yield Fault(path, number, "syntax", message + remedy)
        # Read on as if it were mended: what stood below a header still stands below one.
        mended = f"[line-{number}]" if lines[number - 1].lstrip().startswith("[") else ""
        if not found or lines[number - 1] == mended:
            return
        lines[number - 1] = mended


def core(config: Config, schema: type[T]) -> T:
    """The table that this dataclass describes."""
    table = config.table_of(schema)
    given, faults = _read(options(schema), table, None)
    made = schema(**given)
    faults += [table.fault(key, message) for key, message in tables.faults(made)]
    if faults:
        raise ConfigError(faults)
    return made


Make = Callable[[type, Table], object]
"""Makes the plugin of a port that a table describes."""


def options(factory: Callable[..., object], house: Container[Any] = ()) -> dict[str, Parameter]:
    """The parameters of a constructor that are options: the house gives none of their types."""
    parameters = inspect.signature(factory, eval_str=True).parameters
    return {name: p for name, p in parameters.items() if p.annotation not in house}


def arguments(
    factory: Callable[..., object],
    table: Table,
    house: Container[Any] = (),
    make: Make | None = None,
) -> dict[str, Any]:
    """The table's values as arguments of this constructor. Raises ConfigError with every fault.

    A ``Path`` is relative to the folder of the configuration file. Where the type is a port, the
    value is a table, of which ``make`` makes the plugin.
    """
    given, faults = _read(options(factory, house), table, make)
    if faults:
        raise ConfigError(faults)
    return given


def _read(
    parameters: Mapping[str, Parameter], table: Table, make: Make | None
) -> tuple[dict[str, Any], list[Fault]]:
    """The values that can be taken, and what is wrong with the others."""
    given: dict[str, Any] = {}
    faults = []
    for key in table.values:
        if key == "type":
            continue
        if key not in parameters:
            of_type = f" of type {table.values['type']}" if "type" in table.values else ""
            faults.append(table.fault(key, f"unknown option{of_type}: {suggest(key, parameters)}"))
            continue
        try:
            given[key] = _convert(table, key, parameters[key].annotation, make)
        except msgspec.ValidationError as error:
            faults.append(table.fault(key, _wanted(parameters[key].annotation) or str(error)))
        except ConfigError as error:
            faults += error.faults
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in table.values]
    faults += [table.fault(key, "is needed and missing") for key in missing]
    return given, faults


def suggest(given: str, known: Iterable[str]) -> str:
    """What was probably meant."""
    known = sorted(known)
    close = get_close_matches(given, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known) or 'none'}"


def _convert(table: Table, key: str, hint: Any, make: Make | None) -> Any:
    def ours(kind: type, value: object) -> object:
        if kind is Path and isinstance(value, str):
            return table.file.parent / value
        if kind in KINDS and isinstance(value, dict) and make:
            return make(kind, table.inner(key, value))
        raise msgspec.ValidationError(f"cannot be {value!r}")

    value = table.values[key]
    if isinstance(value, float) and not isfinite(value):  # numbers to TOML, and to nobody else
        raise msgspec.ValidationError(f"cannot be {value}")
    return msgspec.convert(value, hint, dec_hook=ours)


_WORDS: Mapping[Any, str] = {
    str: "text in quotes",
    int: "a whole number without quotes",
    float: "a number without quotes",
    bool: "true or false, without quotes",
    Path: "a path in quotes",
    list[Path]: 'a list of paths in quotes: ["one", "two"]',
    list[str]: 'a list of texts in quotes: ["one", "two"]',
    dict[str, str]: 'texts in quotes by name: { alice = "text" }',
    dict[str, list[str]]: 'lists of texts in quotes by name: { staff = ["alice", "bob"] }',
    **dict.fromkeys(KINDS, 'a table with its type: { type = "...", ... }'),
}
"""How the values of a type are written."""


def _wanted(hint: Any) -> str:
    """What to write for an option of this type; nothing when it is none of the usual ones."""
    hints = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((f"write {_WORDS[each]}" for each in hints if each in _WORDS), "")


def _wrong_table(name: str, value: object, known: Iterable[str]) -> str:
    if name not in known:
        return f"unknown table: {suggest(name, known)}"
    return "" if isinstance(value, dict) else f"must be a table: write [{name}]"


def _lines(text: str) -> dict[str, int]:
    """Where each table and key begins, for messages; a key inside a value is not found."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]+", line):
            table = header[1]
            lines.setdefault(table, number)
        elif key := re.match(r"\s*([\w.-]+)\s*=", line):
            lines.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return lines
