"""A broker that believes everybody, and a proxy before it that says where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import plainclient
from access_cases import HERE, Asker
from daemon import Answer, Daemon, running

NOWHERE = "no-server-available-please-try-later.invalid", 22
_VALUE = re.compile(r'"([^"\\]*)"|([^"\\,;]*)')


def profiles_in(reply: str) -> dict[str, dict[str, str]]:
    """The profiles of a plain reply: strict, and without escapes, of which there are none here."""
    found: dict[str, dict[str, str]] = {}
    for line in filter(None, plainclient.profiles(reply.encode()).split("\n")):
        if header := re.fullmatch(r"\[([\w.-]+)\]", line):
            section = found[header[1]] = {}
            continue
        key, equals, text = line.partition("=")
        value = _VALUE.fullmatch(text)
        assert equals and value and key not in section, line
        section[key] = value[1] or value[2] or ""
    return found


@dataclass
class Site:
    """The broker, as different users see it from different places."""

    daemon: Daemon
    lists: dict[Asker, dict[str, dict[str, str]]] = field(default_factory=dict)

    def ask(self, asker: Asker, path: str = "/plain/", **form: str) -> Answer:
        body = urlencode({"user": asker.user, **form}, quote_via=quote).encode()
        return self.daemon.request("POST", path, body, {"X-Forwarded-For": asker.address})

    def listed(self, user: str, address: str = HERE) -> dict[str, dict[str, str]]:
        asker = Asker(user, address)
        if asker not in self.lists:
            self.lists[asker] = profiles_in(self.ask(asker, task="listsessions").text)
        return self.lists[asker]

    def selected(self, sid: str, user: str = "maja", address: str = HERE) -> tuple[str, int]:
        answer = self.ask(Asker(user, address), task="selectsession", sid=sid)
        return plainclient.server(answer.text.encode())


@contextmanager
def believing(folder: Path, profiles: str, groups: Mapping[str, Sequence[str]]) -> Iterator[Site]:
    with running(
        folder,
        profiles=profiles,
        http={"trusted_proxies": [HERE]},
        authenticator={"type": "none"},
        directory={"type": "flat", "groups": groups},
    ) as daemon:
        yield Site(daemon)
