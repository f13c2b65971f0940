"""How x2goclient takes a plain reply apart: by looking for words, wherever they stand."""

from __future__ import annotations


def granted(body: bytes) -> bool:
    return "Access granted" in body.decode()


def authid(body: bytes) -> str | None:
    """What the client sends as ``authid`` from now on; None: what it had before."""
    _, found, rest = body.decode().partition("AUTHID:")
    return rest.partition("\n")[0] if found else None


def profiles(body: bytes) -> str:
    """The INI text of the profiles, as later clients (4.1.2.3 on) hand it to Qt."""
    return _between(body, "START_USER_SESSIONS\n", "END_USER_SESSIONS\n")


def client_config(body: bytes) -> str:
    return _between(body, "START_CLIENT_CONFIG\n", "END_CLIENT_CONFIG\n")


def server(body: bytes) -> tuple[str, int]:
    """Where the client connects to. Raises IndexError where it would crash."""
    parts = [part for part in body.decode().split("SERVER:") if part]
    words = parts[1].split("\n")[0].split(":")
    assert words[0], "no server name: the client ends"
    return words[0], int(words[1])


def has_sessions(body: bytes) -> bool:
    return "SESSION_INFO" in body.decode()


def password_changed(body: bytes) -> str:
    """``OK``, or why not. Raises IndexError where the client would crash."""
    return body.decode().split("PASSWORD CHANGED: ")[1].split("\n")[0]


def _between(body: bytes, start: str, end: str) -> str:
    lines = body.decode().replace("<br>", "\n").partition(start)[2].partition(end)[0].split("\n")
    return "\n".join(line.strip() for line in lines)
