"""What a one-time key may do: on the servers, and at a proxy on the way to them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from msgspec.structs import replace

from usher.errors import Unavailable
from usher.model import BROKER_USER, Address, Client, Grant, Profile, Selection, Server, User

DIALOGUE_SECONDS = 300
"""How long a key holds at least when the client first asks its user which session to resume."""

RESOLVE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Grants:
    """One key: on the servers, and at the SSH ``proxy`` that it has to pass, if there is one."""

    inside: Grant
    proxy: Server | None = None
    outside: Grant | None = None


async def grants(
    profile: Profile, selection: Selection, user: User, client: Client, key: str, *, own: bool
) -> Grants:
    """What this key may do, and where; ``own``: it is the client's own.

    Raises Unavailable when no key would help at the proxy, and OSError when nobody knows where
    the proxy is.
    """
    settings, proxy = profile.settings, profile.proxy
    source = client.address if settings.key_from == "client" else None
    seconds = max(settings.key_lifetime, DIALOGUE_SECONDS if selection.sessions else 0)
    direct = Grant(user.name, key, seconds, source, file=settings.authorized_keys)
    if not proxy:
        return Grants(direct)
    behind = replace(direct, client=source and await _address(proxy, selection.server))
    if not (own or profile.options.get("sshproxysamekey")) or not profile.key_proxy:
        return Grants(behind)  # they have their own ways to pass it
    if (name := _name_at(profile)) not in ("", BROKER_USER, user.name):
        raise Unavailable(detail=f"at the proxy {proxy.name} they would be {name}")
    servers = dict.fromkeys([selection.server, *(own.server for own in selection.sessions)])
    if any(proxy.name in (server.name, server.address) for server in servers):
        # One host would have two rules for one key, and keep the last that it was told.
        raise Unavailable(detail=f"the proxy {proxy.name} is one of the servers itself")
    return Grants(
        behind,
        proxy,
        replace(
            direct,
            permit_open=",".join(_targets(servers)),
            file=settings.sshproxy_authorized_keys,
            pty=not _is_marked(profile),
        ),
    )


def _is_marked(profile: Profile) -> bool:
    """Does X2Go Client do without a terminal at the proxy, as it does at servers?"""
    return str(profile.options.get("sshproxyhost")).startswith("!")


def _name_at(profile: Profile) -> str:
    """Who the user is at the proxy; empty where they are who they are."""
    options = profile.options
    if options.get("sshproxysameuser") or options.get("usebrokeruserforproxy"):
        return ""
    return str(options.get("sshproxyuser", ""))


def _targets(servers: Iterable[Server]) -> Iterator[str]:
    """Each server as a client may call it when it asks the proxy for it."""
    for server in servers:
        for name in dict.fromkeys((server.address, server.name)):
            yield f"[{name}]:{server.port}" if ":" in name else f"{name}:{server.port}"


async def _address(proxy: Server, server: Server) -> Address:
    """Where the proxy is, of the same kind as the server's address if it has such a one."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await loop.getaddrinfo(proxy.address, None, type=socket.SOCK_STREAM)
    addresses = [ip_address(address[0]) for *_, address in found]
    alike = (each for each in addresses if (each.version == 6) == (":" in server.address))
    return next(alike, addresses[0])
