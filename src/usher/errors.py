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


class BrokerError(Exception):
    """The request was refused."""

    reason = "refused"

    def __init__(self, message: str = "", *, detail: str = "") -> None:
        super().__init__(message or self.__class__.__doc__)
        self.detail = detail


class BadRequest(BrokerError):
    """The request could not be understood."""

    reason = "bad-request"


class AuthFailed(BrokerError):
    """Login failed."""

    reason = "auth"


class Unavailable(BrokerError):
    """This is not available right now."""

    reason = "unavailable"


class NoSuchProfile(Unavailable):
    """This session profile is not available to you."""

    reason = "profile"


class NoServer(Unavailable):
    """No X2Go Server is available right now. Please try again later."""

    reason = "no-server"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a file: where it stands, and what would be right."""

    path: Path
    line: int
    key: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        prefix = "warning: " if self.warning else ""
        return f"{self.path}:{self.line}: {self.key}: {prefix}{self.message}"


class ConfigError(Exception):
    """The configuration is wrong; the message says where, and what would be right."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)
