"""One-time codes (RFC 6238): who has a secret, and which codes are spent. Sealed in the store."""

from __future__ import annotations

import secrets
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from usher.errors import AuthFailed
from usher.ports import Store

DIGITS: Final = 6
STEP_SECONDS: Final = 30
DRIFT: Final = 1
"""So many steps the clocks of broker and user may differ."""

REPEAT_SECONDS: Final = 60.0
"""So long the last code is good for the same login from the same address.

Clients send a request again whose answer was lost.
"""

MISTAKES: Final = 5
"""So many wrong codes in a row cost nothing. After each of the next, none counts for a while.

That is two seconds, and then twice as long each time; after ``DOUBLINGS`` no longer.
"""

DOUBLINGS: Final = 11

RECOVERY_CODES: Final = 10
RECOVERY_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""None of them is taken for another one."""

_KIND: Final = "totp"
_SECRET_BYTES: Final = 20
_ISSUER: Final = "X2Go"


class Wrong(ValueError):
    """Not one of the codes that are good now."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the broker knows of a user's codes.

    ``recovery``: checksums of those recovery codes that are left. ``step``: the one of the last
    code that was spent; ``code``, ``address`` and ``at``: the last login. ``wrong``: how many
    codes have been wrong since, the last one ``tried`` then.
    """

    username: str
    secret: bytes = field(repr=False)
    recovery: frozenset[str] = field(repr=False)
    step: int = 0
    code: str = field(default="", repr=False)
    address: str = ""
    at: float = 0.0
    wrong: int = 0
    tried: float = 0.0

    def spend(self, code: str, address: str, now: float) -> Enrolment:
        """What is known after this code has let somebody in.

        Raises Wrong, or AuthFailed without even looking whether the code is right.
        """
        if not (code := code.strip()):
            raise AuthFailed(detail="no one-time code")
        login = replace(self, code=code, address=address, at=now, wrong=0)
        if _same(code, self.code):  # a client that goes on sending it is not guessing
            if 0 <= now - self.at < REPEAT_SECONDS and self.address == address:
                return self
            raise AuthFailed(detail="spent one-time code")
        if (left := self.recovery - {_checksum(self.secret, code)}) != self.recovery:
            return replace(login, recovery=left)
        if 0 <= now - self.tried < self._rest:
            raise AuthFailed(detail=f"{self.wrong} wrong one-time codes: none counts for a while")
        current = int(now) // STEP_SECONDS
        for step in range(max(self.step + 1, current - DRIFT), current + DRIFT + 1):
            if _same(code, code_of(self.secret, step)):
                return replace(login, step=step)
        raise Wrong

    @property
    def _rest(self) -> float:
        """Seconds for which codes do not count, after so many that were wrong."""
        return 2.0 ** min(self.wrong - MISTAKES, DOUBLINGS) if self.wrong > MISTAKES else 0.0


@dataclass(frozen=True, slots=True)
class Handout:
    """What a user is given once, and nobody can look up again."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)


class Enrolments:
    """The enrolments of all users. Several daemons may share their store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def names(self) -> Sequence[str]:
        """Who is enrolled."""
        return sorted(await self._store.kept(_KIND))

    async def knows(self, username: str) -> bool:
        """Is this user enrolled?"""
        with suppress(KeyError):
            return bool(await self._store.find(_KIND, username))
        return False

    async def enroll(self, username: str) -> Handout:
        """Give the user a new secret instead of the one before."""
        # Lets nobody in, and fails where nothing can be kept, before any secret is made.
        await self._store.keep(_KIND, username, "nothing yet")
        secret = secrets.token_bytes(_SECRET_BYTES)
        codes = tuple([_recovery_code() for _ in range(RECOVERY_CODES)])
        checksums = frozenset(_checksum(secret, code) for code in codes)
        sealed = self._seal(Enrolment(username, secret, checksums))
        await self._store.keep(_KIND, username, sealed)
        uri = _totp(secret).get_provisioning_uri(username, _ISSUER)
        return Handout(uri, b32encode(secret).decode(), codes)

    async def remove(self, username: str) -> None:
        """Take the user's secret away; who has none is no error."""
        await self._store.drop(_KIND, username)

    async def spend(self, username: str, code: str, address: str, now: float) -> None:
        """Let the code count, once. Raises AuthFailed, or KeyError when they are not enrolled."""
        while True:
            sealed = await self._store.find(_KIND, username)
            before = self._unseal(username, sealed)
            try:
                after, right = before.spend(code, address, now), True
            except Wrong:
                after, right = replace(before, wrong=before.wrong + 1, tried=now), False
            # When somebody else was quicker, perhaps with the same code: look again.
            if after is before or await self._swap(username, sealed, after):
                break
        if not right:
            raise AuthFailed(detail="wrong one-time code")

    async def _swap(self, username: str, sealed: str, after: Enrolment) -> bool:
        return await self._store.swap(_KIND, username, sealed, self._seal(after))

    @cached_property
    def _seals(self) -> Fernet:
        return Fernet(urlsafe_b64encode(self._store.secret(_KIND)))

    def _seal(self, enrolment: Enrolment) -> str:
        return self._seals.encrypt(msgspec.json.encode(enrolment)).decode()

    def _unseal(self, username: str, sealed: str) -> Enrolment:
        """Raises OSError when it was sealed with another secret, or for another user."""
        try:
            enrolment = msgspec.json.decode(self._seals.decrypt(sealed), type=Enrolment)
        except (InvalidToken, msgspec.DecodeError) as error:
            words = f"the enrolment of {username!r} cannot be read: run usher totp enroll anew"
            raise OSError(words) from error
        if enrolment.username != username:
            raise OSError(f"the enrolment of {username!r} is another user's")
        return enrolment


def code_of(secret: bytes, step: int) -> str:
    """The code of this step, counted from 1970."""
    return _totp(secret).generate(step * STEP_SECONDS).decode()


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what every app can do


def _recovery_code() -> str:
    letters = "".join(secrets.choice(RECOVERY_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"


def _checksum(secret: bytes, code: str) -> str:
    return blake2b(code.encode(), key=secret, digest_size=16).hexdigest()


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())
