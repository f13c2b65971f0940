"""The tables of the configuration that name no plugin: their options, and what these cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from usher.places import is_loopback

Wrong = tuple[str, str]
"""An option, and what would be right."""


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
    accounts: usher-ssh lets in whoever has an account on this machine, as the user of that name
    trust_ssh_connection: usher-ssh tells a client's address; if not, that is 127.0.0.1
    """

    path: Path = Path("/run/usher/usher.sock")
    relays: list[str] = field(default_factory=lambda: ["www-data"])
    admins: list[str] = field(default_factory=list)
    accounts: bool = True
    trust_ssh_connection: bool = True


@dataclass(frozen=True, slots=True)
class Ssh:
    """The built-in SSH server, which runs when this table is there, be it empty.

    host: address to listen on
    port: port to listen on; 0 lets the system choose
    host_keys: files of private keys; without any, one of each kind is made and kept in the store
    authorized_keys: folder with a file of public keys for each user, named like the user
    """

    host: str = "127.0.0.1"
    port: int = 2222
    host_keys: list[Path] = field(default_factory=list)
    authorized_keys: Path | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The log of decisions, a line of JSON each.

    path: file to append to; without it no such log is kept
    """

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """One-time login keys, for profiles with broker-session-autologin.

    pool: how many are made ahead of need
    """

    pool: int = 1000


CORE: Mapping[str, type] = {
    "http": Http,
    "authid": AuthId,
    "socket": Socket,
    "ssh": Ssh,
    "audit": Audit,
    "keys": Keys,
}
"""The tables that name no plugin."""


def faults(table: object) -> Iterator[Wrong]:
    """What the types of a table's options cannot say."""
    for check in _CHECKS.get(type(table), ()):
        yield from check(table)


def _nowhere(door: Http | Ssh) -> Iterator[Wrong]:
    """Where nobody can listen."""
    if not door.host:
        yield "host", "is empty: write 127.0.0.1, or 0.0.0.0 for every address"
    if not 0 <= door.port <= 65535:
        yield "port", f"{door.port} is no port: choose one from 0 to 65535"


def _impossible(http: Http) -> Iterator[Wrong]:
    """Proxies of the right type that mean nothing."""
    for proxy in http.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            yield "trusted_proxies", f"{error}: write 192.0.2.7 or 10.0.0.0/8"


def _unsafe(http: Http) -> Iterator[Wrong]:
    """What would let passwords travel in the clear without anybody having said so."""
    if (http.certificate is None) != (http.key is None):
        yield "certificate", "certificate and key go together; one is missing"
    if http.certificate is None and not http.plaintext and not is_loopback(http.host):
        yield (
            "host",
            f"{http.host} is not loopback: set certificate and key, or plaintext = true "
            "if something in front of this broker speaks TLS",
        )


def _void(authid: AuthId) -> Iterator[Wrong]:
    """A token that is never worth anything."""
    if authid.lifetime < 1:
        yield "lifetime", f"{authid.lifetime} is no time: write seconds, from 1"


def _no_pool(keys: Keys) -> Iterator[Wrong]:
    if keys.pool < 1:
        yield "pool", f"{keys.pool} is no number of keys: write 1 or more"


_CHECKS: Mapping[type, tuple[Callable[[Any], Iterable[Wrong]], ...]] = {
    Http: (_nowhere, _impossible, _unsafe),
    Ssh: (_nowhere,),
    AuthId: (_void,),
    Keys: (_no_pool,),
}
