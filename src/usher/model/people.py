"""Who somebody says they are, who they are, and where they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NewType

from msgspec import Struct

from usher.errors import AuthFailed
from usher.model.discreet import Discreet

AuthId = NewType("AuthId", str)
"""Lets a client come back without its password; ``AUTHID:`` and ``authid=`` on the wire."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Client(Struct, frozen=True):
    """The X2Go Client at the other end."""

    address: Address


@lru_cache(maxsize=4096)
def client_at(text: str) -> Client:
    """The client at this address; an IPv4-mapped one is the IPv4 address it means.

    Raises ValueError when the text is no address.
    """
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return Client(mapped or address)


class Question(Struct, frozen=True):
    """What somebody who logs in is to be asked; ``echo``: they may see what they type."""

    text: str
    echo: bool = False


CANNOT_ASK = "This login has a question, which can only be asked over SSH."

Ask = Callable[[Question], Awaitable[str]]
"""Puts a question to whoever logs in, and brings the answer."""


class Credential(Discreet, frozen=True):
    """What somebody claims about themselves; nothing in it is true yet.

    ``ask`` is there when they can be asked for more: HTTP and CGI have no way to.
    """

    SECRET = ("password", "authid", "ask")

    username: str
    password: str = ""
    authid: str = ""
    ask: Ask | None = None

    async def answer_to(self, question: Question) -> str:
        """What they say to a question. Raises AuthFailed when they cannot be asked."""
        if self.ask is None:
            detail = f"there is no way to ask {question.text!r} over this wire"
            raise AuthFailed(CANNOT_ASK, detail=detail)
        return await self.ask(question)


class Vouched(Struct, frozen=True):
    """A name that the transport (SSH) has already proved, at a time; None: just now."""

    username: str
    since: float | None = None


class User(Struct, frozen=True):
    """Somebody who has proved their name, with the groups the directory knows."""

    name: str
    groups: frozenset[str] = frozenset()


class Login(Struct, frozen=True):
    """A proved user, when the proof was given (seconds since 1970), and the name that was typed."""

    user: User
    since: float
    typed: str = ""
