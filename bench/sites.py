"""The sites that are measured: configurations, profiles, and who logs in."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import trustme

from bench.processes import Running

ALICE = '[authenticator]\ntype = "static"\nusers = { alice = "wonder" }\n'
HTTP = "[http]\nport = 0\n"
AUDIT = '[audit]\npath = "audit.log"\n'
INIFILE = '[profiles]\ntype = "inifile"\npath = "profiles.conf"\n'
TLS = 'certificate = "both.pem"\nkey = "both.pem"\n'
MINE = "acl-groups-allow = g{number}\n"
FLAT = '[directory]\ntype = "flat"\n'

ANY = ssl._create_unverified_context()
"""Loopback, and a certificate made a moment ago."""

PROFILE = """
[p{number:05}]
name = Desktop {number}
host = ts1 (192.0.2.1), ts2 (192.0.2.2:2222), ts3
command = XFCE
fullscreen = true
sound = false
"""


def profiles(folder: Path, count: int, extra: str = "", mine: int = 0) -> None:
    """Write so many profiles, with ``extra`` lines for each; the first ones are of alice's groups.

    ``{number}`` in the extra lines is the number of the profile.
    """
    sections = [PROFILE + (MINE if number < mine else extra) for number in range(count)]
    text = "".join(section.format(number=number) for number, section in enumerate(sections))
    (folder / "profiles.conf").write_text(text)


def certificate(folder: Path) -> Path:
    """A certificate for loopback (ECDSA P-256) and its key, in one file."""
    made = trustme.CA().issue_cert("127.0.0.1")
    path = folder / "both.pem"
    path.write_bytes(made.private_key_and_cert_chain_pem.bytes())
    return path


def small(*, audit: bool = False, tls: bool = False) -> str:
    """A site with a static user, and profiles from a file."""
    return HTTP + (TLS if tls else "") + ALICE + FLAT + INIFILE + (AUDIT if audit else "")


def many_groups() -> str:
    """The same, with alice in fifty groups: g0 to g49."""
    groups = ", ".join(f'g{number} = ["alice"]' for number in range(50))
    return HTTP + ALICE + FLAT + f"groups = {{ {groups} }}\n" + INIFILE


def servers(count: int) -> list[str]:
    """The names of so many servers."""
    return [f"ts{number:03}" for number in range(count)]


def farm(folder: Path, hosts: list[str], agent: str) -> str:
    """A site where every name is believed: a profile for so many servers, which list0, list1, …
    do not see; they see one with one server."""
    text = (
        f"[desk]\nname = Desk\nhost = {', '.join(hosts)}\n"
        "acl-groups-deny = small\nacl-groups-allow = ALL\n"
        f"[one]\nname = One\nhost = {hosts[0]}\nacl-groups-allow = small\n"
    )
    (folder / "profiles.conf").write_text(text)
    small = ", ".join(f'"list{number}"' for number in range(1000))
    groups = f"groups = {{ small = [{small}] }}\n"
    return f'{HTTP}[authenticator]\ntype = "none"\n{FLAT}{groups}{INIFILE}[agent]\n{agent}'


def ask(server: Running, **fields: str) -> str:
    """Post a form; the answer's text."""
    form = urlencode({"user": "alice", "password": "wonder", **fields}).encode()
    with urlopen(f"{server.url}/plain/", form, context=ANY) as answer:
        return str(answer.read().decode())


def form(server: Running, user: str = "alice", **fields: str) -> str:
    """The form of a client that has logged in, with its AUTHID."""
    authid = ask(server, user=user).split("\n")[0].removeprefix("AUTHID:")
    return urlencode({"user": user, "password": "wonder", **fields, "authid": authid})
