"""The configuration file: TOML into checked tables, and every fault with its line.

A constructor is the schema of its table: its parameters are the options, their annotations the
types, their defaults the defaults. That holds for the dataclasses here and for every plugin.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec

from usher.errors import ConfigError, Fault
from usher.places import is_loopback

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


@dataclass(frozen=True, slots=True)
class Http:
    """Where clients reach the broker by HTTP.

    host: address to listen on
    port: port to listen on; 0 lets the system choose
    certificate: PEM file of the certificate and its chain; with it, the port speaks TLS only
    key: PEM file of the certificate's private key; may be the same file
    plaintext: allow HTTP without TLS on an address that is not loopback
    trusted_proxies: addresses and networks whose X-Forwarded-For is believed
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    plaintext: bool = False
    trusted_proxies: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AuthId:
    """The tokens that stand for a login.

    lifetime: seconds from the login after which the password is needed again
    bind_address: a token counts only from the address it was given to
    """

    lifetime: int = 36000
    bind_address: bool = True


@dataclass(frozen=True, slots=True)
class Socket:
    """The Unix socket of the thin commands.

    path: where the socket is; everybody may connect, and the kernel tells who does
    relays: accounts whose usher-cgi may speak for a client at another address
    admins: accounts that may give orders to the daemon, beside root and the daemon's own
    """

    path: Path = Path("/run/usher/usher.sock")
    relays: list[str] = field(default_factory=lambda: ["www-data"])
    admins: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Audit:
    """The log of decisions, a line of JSON each.

    path: file to append to; without it no such log is kept
    """

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file. Faults found in it know their line."""

    file: Path
    name: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def fault(self, key: str, message: str, *, warning: bool = False) -> Fault:
        """Something wrong with a key of this table (or, with no key, the whole table)."""
        line = self.lines.get(f"{self.name}.{key}") or self.lines.get(self.name, 1)
        return Fault(self.file, line, f"{self.name}.{key}" if key else self.name, message, warning)


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
        return self.table(next(name for name, known in CORE.items() if known is schema))

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def faults(self) -> Sequence[Fault]:
        """Names at the top of the file that are no tables of ours."""
        known = {*CORE, *DEFAULTS}
        top = Table(self.file, "", self.values, self.lines)
        return [
            Fault(self.file, self.lines.get(name, 1), name, message)
            for name, value in top.values.items()
            if (message := _wrong_table(name, value, known))
        ]


CORE: Mapping[str, type] = {"http": Http, "authid": AuthId, "socket": Socket, "audit": Audit}
"""The tables that name no plugin."""


def load(path: Path) -> Config:
    """Read the configuration file. Raises ConfigError when it cannot be read as TOML."""
    data = b""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
        return Config(path, tomllib.loads(text), _lines(text))
    except OSError as error:
        message = f"cannot be read: {error.strerror}: write one, or name another with -c"
        raise ConfigError([Fault(path, 1, "file", message)]) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "is not UTF-8: save the file in that encoding"
        raise ConfigError([Fault(path, line, "syntax", message)]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(path, str(error), text)]) from error


def _syntax(path: Path, said: str, text: str) -> Fault:
    """What the parser says about a file that is no TOML, with the line where it stopped."""
    message, _, place = said.partition(" (at ")
    found = re.search(r"line (\d+)", place)
    line = int(found[1]) if found else max(1, len(text.splitlines()))  # "at end of document"
    remedy = ": text needs quotes" if message == "Invalid value" else ""
    return Fault(path, line, "syntax", message + remedy)


def core(config: Config, schema: type[T]) -> T:
    """The table that this dataclass describes."""
    table = config.table_of(schema)
    made = schema(**arguments(schema, table))
    if faults := [fault for check in _CHECKS.get(schema, ()) for fault in check(made, table)]:
        raise ConfigError(faults)
    return made


def arguments(factory: Callable[..., object], table: Table) -> dict[str, Any]:
    """The table's values as arguments of this constructor. Raises ConfigError with every fault.

    A ``Path`` is relative to the folder of the configuration file.
    """
    parameters = inspect.signature(factory, eval_str=True).parameters
    given: dict[str, Any] = {}
    faults = []
    for key, value in table.values.items():
        if key == "type":
            continue
        if key not in parameters:
            of_type = f" of type {table.values['type']}" if "type" in table.values else ""
            faults.append(table.fault(key, f"unknown option{of_type}: {suggest(key, parameters)}"))
            continue
        try:
            given[key] = _convert(value, parameters[key].annotation, table.file.parent)
        except msgspec.ValidationError as error:
            faults.append(table.fault(key, _wanted(parameters[key].annotation) or str(error)))
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in table.values]
    faults += [table.fault(key, "is needed and missing") for key in missing]
    if faults:
        raise ConfigError(faults)
    return given


def suggest(given: str, known: Iterable[str]) -> str:
    """What was probably meant."""
    known = sorted(known)
    close = get_close_matches(given, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known)}"


def _convert(value: object, hint: Any, folder: Path) -> Any:
    def path(kind: type, text: object) -> object:
        if kind is Path and isinstance(text, str):
            return folder / text
        raise msgspec.ValidationError(f"expected a path in quotes, got {text!r}")

    return msgspec.convert(value, hint, dec_hook=path)


_WORDS: Mapping[Any, str] = {
    str: "text in quotes",
    int: "a whole number without quotes",
    float: "a number without quotes",
    bool: "true or false, without quotes",
    Path: "a path in quotes",
    list[str]: 'a list of texts in quotes: ["one", "two"]',
    dict[str, str]: 'texts in quotes by name: { alice = "text" }',
    dict[str, list[str]]: 'lists of texts in quotes by name: { staff = ["alice", "bob"] }',
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


def _impossible(http: Http, table: Table) -> Iterable[Fault]:
    """Values of the right type that mean nothing."""
    if not http.host:
        yield table.fault("host", "is empty: write 127.0.0.1, or 0.0.0.0 for every address")
    if not 0 <= http.port <= 65535:
        yield table.fault("port", f"{http.port} is no port: choose one from 0 to 65535")
    for proxy in http.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            yield table.fault("trusted_proxies", f"{error}: write 192.0.2.7 or 10.0.0.0/8")


def _unsafe(http: Http, table: Table) -> Iterable[Fault]:
    """What would let passwords travel in the clear without anybody having said so."""
    if (http.certificate is None) != (http.key is None):
        yield table.fault("certificate", "certificate and key go together; one is missing")
    if http.certificate is None and not http.plaintext and not is_loopback(http.host):
        yield table.fault(
            "host",
            f"{http.host} is not loopback: set certificate and key, or plaintext = true "
            "if something in front of this broker speaks TLS",
        )


def _void(authid: AuthId, table: Table) -> Iterable[Fault]:
    """A token that is never worth anything."""
    if authid.lifetime < 1:
        yield table.fault("lifetime", f"{authid.lifetime} is no time: write seconds, from 1")


_CHECKS: Mapping[type, Sequence[Callable[[Any, Table], Iterable[Fault]]]] = {
    Http: (_impossible, _unsafe),
    AuthId: (_void,),
}
"""What the types of a table cannot say."""


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
