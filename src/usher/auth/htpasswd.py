"""A file of users and password hashes, in the form that web servers and /etc/shadow use."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from hmac import compare_digest
from pathlib import Path

import argon2
import bcrypt

from usher import places
from usher.errors import AuthFailed, Fault
from usher.model import Client, Credential

log = logging.getLogger(__name__)

Check = Callable[[bytes], bool]
"""Is this the password? A hash, and how to compare with it."""


class Htpasswd:
    """A file with a line ``user:hash`` for each user; lines that begin with ``#`` are comments.

    Hashes are argon2, bcrypt, yescrypt, sha512-crypt or sha256-crypt, as ``htpasswd -B`` and
    ``mkpasswd`` make them. A changed file counts from the next login on; while it cannot be read,
    the last good one stays. Of a password, bcrypt looks at the first 72 bytes only.

    path: the file
    """

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._users = _read(path)
        # Hashing keeps a core busy: more threads than cores would only make everybody wait.
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="usher-htpasswd")

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name as it stands in the file; an empty password lets nobody in."""
        username, password = credential.username, credential.password
        if not password or "\0" in password:  # C would end the password there
            raise AuthFailed(detail="empty password, or a NUL in it")
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._threads, self._check, username, password):
            raise AuthFailed(detail="wrong user or password")
        return username

    def faults(self) -> Sequence[Fault]:
        """Every line that is not read, and why."""
        return self._users.faults

    def _check(self, username: str, password: str) -> bool:
        if places.stamp(self._path) != self._users.stamp:
            self._reread()
        users = self._users
        known = users.checks.get(username)
        check = known or users.stand_in(username)
        return check(password.encode()) and known is not None

    def _reread(self) -> None:
        stamp = places.stamp(self._path)  # before reading: a change while we read is then seen
        try:
            self._users = _read(self._path)
        except (OSError, ValueError) as error:
            fault = Fault(
                self._path, 1, "file", f"cannot be read, the last good one stays: {error}"
            )
            self._users = replace(self._users, stamp=stamp, faults=(fault,))
        for fault in self._users.faults:
            log.warning("%s", fault)


@dataclass(frozen=True, slots=True)
class _Users:
    """The file as it was when it had this stamp."""

    stamp: tuple[int, ...]
    checks: Mapping[str, Check] = field(repr=False)
    order: Sequence[Check] = field(repr=False)
    faults: tuple[Fault, ...]

    def stand_in(self, username: str) -> Check:
        """Somebody's check, the same for this name every time.

        It takes the place of an unknown user's own: the time taken must not tell who is known.
        """
        return self.order[hash(username) % len(self.order)] if self.order else lambda _: False


def _read(path: Path) -> _Users:
    """Raises OSError or ValueError when the file as a whole cannot be read."""
    places.readable(path)  # a device or a pipe could keep us for ever
    stamp = places.stamp(path)
    checks: dict[str, Check] = {}
    faults = []
    for number, username, line in _entries(places.text(path).split("\n")):
        try:
            if username in checks:
                raise ValueError("has a line above, and that one counts")
            checks[username] = _parse(username, line)
        except ValueError as error:
            faults.append(Fault(path, number, username, str(error)))
    return _Users(stamp, checks, tuple(checks.values()), tuple(faults))


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Line number, user name and line of everything that is neither empty nor a comment."""
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            yield number, line.partition(":")[0] or "line", line


def _parse(username: str, line: str) -> Check:
    """Raises ValueError, with what to do, when this line cannot let anybody in."""
    before, _, text = line.partition(":")
    if not before or not text:
        raise ValueError("a line must be user:hash")
    remedy = f"run htpasswd -B on this file for {username!r}"
    for pattern, matches in _KINDS:
        if pattern.fullmatch(text):
            if matches is _crypt and not _in_libcrypt(text):
                raise ValueError(
                    f"this system's libcrypt does not know this kind of hash: {remedy}"
                )
            return partial(matches, text)
    raise ValueError(f"neither argon2, bcrypt, yescrypt, sha512-crypt nor sha256-crypt: {remedy}")


def _argon2(text: str, password: bytes) -> bool:
    try:
        return argon2.PasswordHasher().verify(text, password)
    except argon2.exceptions.VerificationError:  # wrong, or of a cost that nobody can pay
        return False


def _bcrypt(text: str, password: bytes) -> bool:
    # Every implementation cuts here, and so made the hashes; this library wants it said.
    return bcrypt.checkpw(password[:72], text.encode())


def _crypt(text: str, password: bytes) -> bool:
    scratch = ctypes.create_string_buffer(_SCRATCH)
    made = _libcrypt().crypt_rn(password, text.encode(), scratch, _SCRATCH)
    if made is None and ctypes.get_errno() != errno.ERANGE:  # that one: too long a password
        raise OSError(ctypes.get_errno(), "libcrypt cannot check a password")
    return made is not None and compare_digest(made, text.encode())


_KINDS: Sequence[tuple[re.Pattern[str], Callable[[str, bytes], bool]]] = (
    (
        re.compile(
            r"\$argon2(id|i|d)(\$v=(16|19))?\$m=[1-9]\d{0,8},t=[1-9]\d{0,8},p=[1-9]\d{0,6}"
            r"\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{6,}"
        ),
        _argon2,
    ),
    (re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}"), _bcrypt),
    (re.compile(r"\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]*\$[./A-Za-z0-9]{43}"), _crypt),
    (re.compile(r"\$6\$(rounds=\d+\$)?[^$:]{0,16}\$[./A-Za-z0-9]{86}"), _crypt),
    (re.compile(r"\$5\$(rounds=\d+\$)?[^$:]{0,16}\$[./A-Za-z0-9]{43}"), _crypt),
)

_SCRATCH = 32768  # sizeof(struct crypt_data), a part of libxcrypt's ABI
_SALT_INVALID, _SALT_DISABLED = 1, 2


def _in_libcrypt(text: str) -> bool:
    try:
        return _libcrypt().crypt_checksalt(text.encode()) not in (_SALT_INVALID, _SALT_DISABLED)
    except OSError:
        return False


@cache
def _libcrypt() -> ctypes.CDLL:
    """The system's libcrypt. Raises OSError unless it is libxcrypt: others have no yescrypt."""
    for name in ("libcrypt.so.2", "libcrypt.so.1"):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(name, use_errno=True)
            text = ctypes.c_char_p
            library.crypt_checksalt.argtypes = [text]
            library.crypt_rn.argtypes = [text, text, ctypes.c_void_p, ctypes.c_int]
            library.crypt_rn.restype = text
            return library
    raise OSError("this system has no libxcrypt")
