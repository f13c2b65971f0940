"""Sealed tokens: who, since when, from where.

A token is the lower-case hexadecimal form of its content and of a keyed checksum over it: nothing
is stored, no client can confuse it with a word of its protocol, and only the broker can make one.
Daemons that share the store's secret accept each other's.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from enum import Enum
from hashlib import blake2b
from hmac import compare_digest
from math import inf
from secrets import token_bytes

from msgspec import Struct

from usher.model import AuthId, Client, Login

# Version, login time, expiry, salt, client address, length of the proved name; then the names.
_HEAD = struct.Struct(">Bdd6s16sH")
_VERSION = 2
_SEAL = 16
_ANYWHERE = bytes(16)


class Doubt(Enum):
    """Why a token is not a login."""

    FOREIGN = "not one of ours"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ELSEWHERE = "given to another client address"
    SOMEBODY_ELSE = "given to another user"


class Claim(Struct, frozen=True):
    """What a token says, and why it may not count."""

    username: str = ""
    since: float = 0.0
    doubt: Doubt | None = None


class AuthIds:
    """Seals logins into tokens and reads them again.

    ``lifetime`` (seconds) counts from the login, however often the token was renewed.
    ``revoked`` maps user names to the time (since 1970) up to which their logins are void.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        lifetime: float,
        bind_address: bool,
        revoked: Mapping[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._bind_address = bind_address
        self._revoked = revoked
        self._clock = clock

    def seal(self, login: Login, client: Client) -> AuthId:
        """A fresh token for this login, with the login's own time."""
        name, expires = login.user.name.encode(), login.since + self._lifetime
        place = self._place(client)
        head = _HEAD.pack(_VERSION, login.since, expires, token_bytes(6), place, len(name))
        content = head + name + login.typed.encode()
        return AuthId((content + self._seal(content)).hex())

    def read(self, token: str, username: str, client: Client) -> Claim:
        """What the token says. It is a login when ``doubt`` is None."""
        content = self._unseal(token)
        if not content:
            return Claim(doubt=Doubt.FOREIGN)
        _, since, expires, _, place, length = _HEAD.unpack_from(content)
        names = content[_HEAD.size :]
        name, typed = names[:length].decode(), names[length:].decode()
        doubt = None
        if username not in (name, typed or name):
            doubt = Doubt.SOMEBODY_ELSE
        elif self._bind_address and place not in (_ANYWHERE, self._place(client)):
            doubt = Doubt.ELSEWHERE
        else:
            doubt = self.ended(name, since, expires)
        return Claim(name, since, doubt)

    def ended(self, name: str, since: float, expires: float = inf) -> Doubt | None:
        """Why a login of that time counts no more."""
        if self._revoked.get(name, 0.0) >= since:
            return Doubt.REVOKED
        if self._clock() >= min(expires, since + self._lifetime):
            return Doubt.EXPIRED
        return None

    def _unseal(self, token: str) -> bytes:
        """The content of an authentic token, else nothing."""
        try:
            raw = bytes.fromhex(token)
        except ValueError:
            return b""
        content, seal = raw[:-_SEAL], raw[-_SEAL:]
        # fromhex reads capitals and blanks as well; a token has one spelling.
        if not compare_digest(seal, self._seal(content)) or raw.hex() != token:
            return b""
        return content if content[:1] == bytes([_VERSION]) else b""

    def _seal(self, content: bytes) -> bytes:
        return blake2b(content, digest_size=_SEAL, key=self._secret).digest()

    def _place(self, client: Client) -> bytes:
        return client.address.packed.rjust(16, b"\0") if self._bind_address else _ANYWHERE
