"""The servers of a profile as the administrator writes them: ``name (address:port), ...``."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from usher.model import Server

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HOST: Final = rf"(?:(?:{_BYTE}\.){{3}}{_BYTE}|(?:{_LABEL}\.)*(?![0-9]+\b){_LABEL}\.?)"
_IPV6: Final = r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*"
_PORT: Final = r"\s*:\s*\+?([0-9]+)"
_PLACE: Final = rf"(?:({_HOST})|\[({_IPV6})\])(?:{_PORT})?|({_IPV6})"
_FORMS: Final = "write name, name (address) or name (address:port)"

_host: Final = re.compile(_HOST).fullmatch
_place: Final = re.compile(_PLACE).fullmatch
_port: Final = re.compile(rf"[^:]*?{_PORT}").fullmatch
_item: Final = re.compile(rf"({_HOST})(?:\s*\(\s*(.*?)\s*\))?").fullmatch


class Host(NamedTuple):
    """What an item of a list of hosts means, and what is doubtful about it."""

    server: Server
    doubt: str = ""


def read_hosts(text: str, port: int) -> tuple[Host, ...]:
    """Read a list of hosts; ``port`` is for those that do not name one.

    Raises ValueError with what would be right for every item that is wrong.
    """
    hosts, wrong = [], []
    for item in filter(None, map(str.strip, text.split(","))):
        try:
            hosts.append(read_host(item, port))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(hosts)


@lru_cache(maxsize=4096)
def read_host(item: str, port: int) -> Host:
    """Read ``name``, ``name (address)`` or ``name (address:port)``: one Server for many profiles.

    Raises ValueError with what would be right.
    """
    match = _item(item)
    if not match:
        raise ValueError(_wrong(item))
    name, place = match.groups()
    try:
        return Host(Server(name, *read_place(place or name, port)))
    except NoAddress as error:
        doubt = f"{error}: {name!r} itself is used as its address"
        found = _port(place)
        return Host(Server(name, *read_place(f"{name}:{found[1] if found else port}", port)), doubt)


class NoAddress(ValueError):
    """What should be an address is none."""


def read_place(text: str, port: int) -> tuple[str, int]:
    """Read ``address`` or ``address:port``; an IPv6 address with a port wears brackets.

    Raises ValueError with what would be right, NoAddress when the address is at fault.
    """
    match = _place(text)
    if not match:
        raise NoAddress(f"{text!r} is no address")
    host, bracketed, number, bare = match.groups()
    if not host and not is_ipv6(bracketed or bare):
        raise NoAddress(f"{text!r} is no address")
    if number and not 0 < int(number[:6]) < 65536:
        raise ValueError(f"{number} is no port: write a number from 1 to 65535")
    return host or bracketed or bare, int(number or port)


def is_host(text: str) -> bool:
    """Is it a host name or an IPv4 address?"""
    return _host(text) is not None


def is_ipv6(text: str) -> bool:
    """Is it an IPv6 address that any machine can use?"""
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _wrong(item: str) -> str:
    """What is wrong with an item of the list."""
    if is_ipv6(item.partition("]")[0].removeprefix("[")):
        return f"{item!r} needs a name beside it: write NAME ({item})"
    return f"{item!r} is no host: {_FORMS}"
