"""The session profiles that the tests offer to the clients."""

from __future__ import annotations

SHELL = "A shell"

NAMES = {
    "shell": SHELL,
    "umlauts": "Büro Zürich",
    "currency": "10 € a day",
    "characters": "漢字とかな",
    "comma": "Commas, in, a name",
    "semicolon": "Semicolons; in; a name",
    "quotes": 'The "quoted" one',
    "backslash": r"C:\new\x41",
    "at": "@Invalid()",
    "percent": "100 %41 & more = <all>",
    "marker": "SERVER:nowhere AUTHID:nobody",
}
"""Profile ids and names, among them names that have been misread before."""


def profiles(port: int, user: str = "alice") -> str:
    """A file of session profiles for this user that all lead to one SSH server on loopback."""
    server = f"[DEFAULT]\nhost = localhost (127.0.0.1:{port})\ncommand = TERMINAL\n"
    access = f"acl-users-allow = {user}\n"
    return server + access + "".join(f"[{sid}]\nname = {name}\n" for sid, name in NAMES.items())
