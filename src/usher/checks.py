"""Whatever keeps a daemon with this configuration from starting on this machine.

Nothing is made and nothing is listened at: a daemon may be running meanwhile.
"""

from __future__ import annotations

import errno
import pwd
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from usher import places
from usher.config import Config, Table, core
from usher.errors import ConfigError, Fault
from usher.frontends.authorized import checked_folder
from usher.frontends.tls import Certificate, end_of
from usher.plugins import blame
from usher.tables import Audit, Http, Socket, Ssh

_LISTENING: Mapping[int | None, tuple[str, str]] = {
    errno.EADDRINUSE: ("port", "{port} is taken: choose another"),
    errno.EACCES: ("port", "{port} needs CAP_NET_BIND_SERVICE: see admin.md 3.1"),
    errno.EADDRNOTAVAIL: ("host", "{host} is no address of this machine"),
}
"""Why nobody can listen there: the option, and what to tell."""


def start(config: Config) -> list[Fault]:
    """What the tables of the core ask of this machine and do not get."""
    faults = [*_strangers(config), *_two_at_one_port(config), *_ended(config)]
    for schema, key, attempt in _ATTEMPTS:
        if schema is Ssh and "ssh" not in config:
            continue
        try:
            options: object = core(config, schema)
            with blamed(config, schema, key):
                attempt(options)
        except ConfigError as error:
            faults += error.faults
    return faults


@contextmanager
def blamed(config: Config, schema: type, key: str) -> Iterator[None]:
    """An OSError within is a ConfigError: about the option that it names, else about ``key``."""
    try:
        yield
    except (OSError, UnicodeError) as error:  # a host name can be too long for its encoding
        table, given = config.table_of(schema), asdict(core(config, schema))
        raise ConfigError([_fault(error, table, given, key)]) from error


def _fault(error: Exception, table: Table, given: Mapping[str, Any], key: str) -> Fault:
    if isinstance(error, socket.gaierror | UnicodeError):
        return table.fault("host", f"{given['host']} cannot be resolved: {error}")
    number = getattr(error, "errno", None)
    if key == "host" and number in _LISTENING:
        option, sentence = _LISTENING[number]
        return table.fault(option, sentence.format_map(given))
    return blame(error, table, given, key)


def _certificate(http: Http) -> None:
    if http.certificate and http.key:
        Certificate(http.certificate, http.key)


def _listen(door: Http | Ssh) -> None:
    """Take the address for a moment; if it is taken, it is one that can be."""
    passive = socket.AI_PASSIVE
    found = socket.getaddrinfo(door.host, door.port, type=socket.SOCK_STREAM, flags=passive)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def _host_keys(options: Ssh) -> None:
    from usher.frontends.hostkeys import read_host_keys  # slow: see there

    read_host_keys(options.host_keys)


def _authorized_keys(options: Ssh) -> None:
    if options.authorized_keys:
        checked_folder(options.authorized_keys)


def _append(audit: Audit) -> None:
    if audit.path:
        places.appendable(audit.path)


_ATTEMPTS: tuple[tuple[type, str, Callable[[Any], None]], ...] = (
    (Http, "certificate", _certificate),
    (Http, "host", _listen),
    (Socket, "path", lambda options: places.listenable(options.path)),
    (Ssh, "host_keys", _host_keys),
    (Ssh, "authorized_keys", _authorized_keys),
    (Ssh, "host", _listen),
    (Audit, "path", _append),
)
"""What the daemon will do with a table at its start, as far as it leaves no trace."""


def _ended(config: Config) -> Iterator[Fault]:
    with suppress(ConfigError, OSError, ValueError):
        certificate = core(config, Http).certificate
        if certificate and (end := end_of(certificate)) < datetime.now(UTC):
            message = f"{certificate} ended on {end:%Y-%m-%d}, and clients refuse it: renew it"
            yield config.table_of(Http).fault("certificate", message, warning=True)


_EVERYWHERE = frozenset(["", "0.0.0.0", "::"])  # noqa: S104 - to be compared with


def _two_at_one_port(config: Config) -> Iterator[Fault]:
    with suppress(ConfigError):
        http, ssh = core(config, Http), core(config, Ssh)
        met = http.host == ssh.host or not _EVERYWHERE.isdisjoint((http.host, ssh.host))
        if "ssh" in config and met and ssh.port == http.port != 0:
            message = f"{ssh.port} is the port of [http]: choose another"
            yield config.table_of(Ssh).fault("port", message)


def _strangers(config: Config) -> Iterator[Fault]:
    """Accounts that the file names and this machine does not have."""
    table = config.table_of(Socket)
    for key in ("relays", "admins"):
        names = table.values.get(key)
        for name in names if isinstance(names, list) else ():
            try:
                pwd.getpwnam(name)
            except (KeyError, TypeError):
                yield table.fault(key, f"there is no account {name!r} here", warning=True)
