"""What can go wrong, said twice: to the client in ``str(error)``, to the log in ``error.detail``.

* BrokerError          no: the request is refused, and we know why
  x BadRequest         the client sent something that cannot be read
  x AuthFailed         wrong user, password or authid (we never say which)
  x Unavailable        the login holds, but this wish cannot be granted
    x NoSuchProfile    unknown, or hidden from this user (we never say which)
    x NoServer         every server of the profile is down, full or draining
* ConfigError          the daemon must not start; carries every Fault that was found

Any other exception means "could not tell": the front-end logs it with an incident number, and the
client learns nothing but that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usher.logs import printable


class BrokerError(Exception):
    """No. ``message`` is what the client reads, unless another is given."""

    reason = "refused"
    message = "The request was refused."

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message or self.message)
        self.detail = detail


class BadRequest(BrokerError):
    """The client sent something that cannot be read."""

    reason = "bad-request"
    message = "The request could not be understood."


class AuthFailed(BrokerError):
    """Wrong user, password or authid; which of them is never said."""

    reason = "auth"
    message = "Login failed."


class Unavailable(BrokerError):
    """The login holds, and the wish cannot be granted."""

    reason = "unavailable"
    message = "This is not available right now."


class NoSuchProfile(Unavailable):
    """Unknown, or hidden from this user; which of them is never said."""

    reason = "profile"
    message = "This session profile is not available to you."


class NoServer(Unavailable):
    """Every server of the profile is down, full or draining."""

    reason = "no-server"
    message = "No X2Go Server is available right now. Please try again later."


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a file: where it stands, and what would be right.

    A fatal one keeps a daemon from starting with this file; others cost only what they are about.
    """

    path: Path
    line: int
    key: str
    message: str
    warning: bool = False
    fatal: bool = False

    def __str__(self) -> str:
        prefix = "warning: " if self.warning else ""
        return printable(f"{self.path}:{self.line}: {self.key}: {prefix}{self.message}")


class ConfigError(Exception):
    """The configuration is wrong; the message says where, and what would be right."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
