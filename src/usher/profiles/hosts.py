"""The servers of a profile as the administrator writes them: ``name (address:port), ...``."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from usher.model import Server

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_HOST = re.compile(r"([^\s()]+)(?:\s*\((.*)\))?", re.ASCII)
_PLACE = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(.*))?", re.ASCII)
_FORMS = "write name, name (address) or name (address:port)"


class Hosts(NamedTuple):
    """What a list of hosts means, and what is doubtful about it."""

    servers: tuple[Server, ...] = ()
    doubts: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def read_hosts(text: str, port: int) -> Hosts:
    """Read a list of hosts; ``port`` is for those that do not name one.

    Raises ValueError with what would be right.
    """
    servers, doubts = [], []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, place = _split(item)
        try:
            servers.append(Server(name, *read_place(place or name, port)))
        except _NoAddress as error:
            servers.append(Server(name, name, port))
            doubts.append(f"{error}: {name!r} itself is used as its address")
    return Hosts(tuple(servers), tuple(doubts))


def read_place(text: str, port: int) -> tuple[str, int]:
    """Read ``address``, ``address:port`` or ``[IPv6]:port``. Raises ValueError."""
    if text.count(":") > 1 and not text.startswith("["):
        address, number = text, ""
    elif match := _PLACE.fullmatch(text):
        address, number = match[1] or match[2] or "", match[3]
    else:
        raise _NoAddress(f"{text!r} is no address")
    if not is_host(address) and not _is_ipv6(address):
        raise _NoAddress(f"{address!r} is no address")
    return address, _port(number) if number else port


def is_host(text: str) -> bool:
    """Is it a host name or an IPv4 address?"""
    if not _NAME.fullmatch(text):
        return False
    last = text.rstrip(".").rpartition(".")[2]
    return not last.isdigit() or "." not in text or _is_address(text)


class _NoAddress(ValueError):
    """What should be an address is none."""


def _split(item: str) -> tuple[str, str | None]:
    """The name and what stands in the brackets behind it."""
    match = _HOST.fullmatch(item)
    if match and is_host(match[1]):
        return match[1], None if match[2] is None else match[2].strip()
    if _is_ipv6(item.partition("]")[0].strip("[")):
        raise ValueError(f"{item!r} needs a name beside it: write NAME ({item})")
    raise ValueError(f"{item!r} is no host: {_FORMS}")


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536:
        return int(text)
    raise ValueError(f"{text!r} is no port: write a number from 1 to 65535")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address) and "%" not in text
    except ValueError:
        return False
