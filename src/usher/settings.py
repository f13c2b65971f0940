"""The ``broker-*`` keys of a profile: one table of them, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final


class Policy(StrEnum):
    """What becomes of the sessions that a user already has."""

    CHOOSE = "choose"
    RESUME = "resume"
    NEW = "new"
    TAKEOVER = "takeover"


def _truth(text: str) -> bool:
    """As brokers have always read these keys: anything else is false."""
    return text.lower() in ("1", "true")


def _is_clear(text: str) -> bool:
    return _truth(text) or text.lower() in ("", "0", "false", "no", "off")


def _policy(text: str) -> Policy:
    if text not in list(Policy):
        raise ValueError(f"{text!r} is no policy: write {', '.join(Policy)}")
    return Policy(text)


def _selector(text: str) -> str:
    known = entry_points(group="usher.selector").names
    if text not in known:
        raise ValueError(f"{text!r} is no selector: write {' or '.join(sorted(known))}")
    return text


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text, re.ASCII):
        raise ValueError(f"{text!r} is no number: write 0 (no limit) or more")
    return int(text)


def _key_from(text: str) -> str:
    if text not in ("client", "off"):
        raise ValueError(f"{text!r} is not known: write client or off")
    return text


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= 3600:
        raise ValueError(f"{text!r} is no time: write seconds, from 1 to 3600")
    return int(text)


def _keys_file(text: str) -> str:
    """The existing agent replaces the first of each mark, and only knows whole paths."""
    marks = [mark for mark in _find_marks(text) if mark != "%%"]
    if not _is_keys_file(text) or len(set(marks)) < len(marks):
        raise ValueError(
            f"{text!r} is no such path: begin with / or %h, and write each of %h %u %U %G once"
        )
    return text


def _login_map(text: str) -> str:
    if not text.startswith("/") or not text.isprintable():
        raise ValueError(f"{text!r} is no whole path: begin with /")
    return text


def _weights(text: str) -> Mapping[str, float]:
    return _by_server(text, r"[0-9]{1,4}(?:\.[0-9]{1,3})?", float, "ts1:2, ts2:0.5", 0.001)


def _caps(text: str) -> Mapping[str, int]:
    return _by_server(text, "[0-9]{1,6}", int, "ts1:40, ts2:20", 1)


def _by_server(
    text: str, number: str, kind: Callable[[str], Any], example: str, least: float
) -> Mapping[str, Any]:
    found = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, _, value = (part.strip() for part in item.rpartition(":"))
        if not name or not re.fullmatch(number, value, re.ASCII) or kind(value) < least:
            raise ValueError(f"{item!r} is not a server and a number: write {example}")
        found[name] = kind(value)
    return MappingProxyType(found)


_find_marks = re.compile("%.").findall
_is_keys_file = re.compile(r"(?:%h)?/(?:%[huUG%]|[A-Za-z0-9_.,@/+-])+(?<!/)", re.ASCII).fullmatch


def _setting(default: Any, read: Callable[[str], Any], about: str) -> Any:
    key = {"default_factory": default} if callable(default) else {"default": default}
    return field(**key, metadata={"read": read, "about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a profile tells the broker. Every field is the key ``broker-`` and its name."""

    selector: str = _setting("", _selector, "which selector chooses the server")
    weights: Mapping[str, float] = _setting(
        dict, _weights, "how much a server bears beside others, 1 where nothing is said"
    )
    caps: Mapping[str, int] = _setting(dict, _caps, "the most sessions on a server")
    session_policy: Policy = _setting(
        Policy.CHOOSE,
        _policy,
        "choose: the user sees their sessions and chooses; resume: the best one only; "
        "new: never resume; takeover: suspend a running one and resume it",
    )
    session_limit: int = _setting(0, _count, "the most sessions of a user; 0: no limit")
    session_counts: bool = _setting(
        False, _truth, "show how many sessions run and are suspended; hides profiles without any"
    )

    login_map: str = _setting(
        "",
        _login_map,
        "a file of lines `broker-user = server-user`: accounts on the servers that are the user's, "
        "though they are called otherwise",
    )
    session_autologin: bool = _setting(
        False, _truth, "log in to the server with a one-time key, without the password"
    )
    key_from: str = _setting(
        "client",
        _key_from,
        "client: a key counts from the client's address only; off: from anywhere, behind NAT",
    )
    key_lifetime: int = _setting(60, _seconds, "seconds that a key holds, at most 3600")
    authorized_keys: str = _setting(
        "%h/.x2go/authorized_keys",
        _keys_file,
        "where the existing agent writes keys: %h is the user's home, %u their name, %U and %G "
        "their numbers, %% a percent sign",
    )
    sshproxy_authorized_keys: str = _setting(
        "%h/.x2go/authorized_keys", _keys_file, "the same at the SSH proxy"
    )

    def new_only(self) -> Settings:
        """The same for somebody who always begins anew, whatever sessions there are."""
        return replace(self, session_policy=Policy.NEW, session_limit=0)


KEYS: Final = MappingProxyType(
    {f"broker-{item.name.replace('_', '-')}": item for item in fields(Settings)}
)
"""The keys that have an effect, and what they are about (``metadata``)."""

IDLE: Final = (
    "broker-agent-hostkey-policy",
    "broker-agent-query-mode",
    "broker-portscan-x2goservers",
    "broker-use-load-checker",
)
"""Keys of earlier brokers that are known, and have no effect."""


def read(key: str, text: str) -> object:
    """What the text means for this one of ``KEYS``. Raises ValueError with what would be right."""
    return KEYS[key].metadata["read"](text)


def doubt(key: str, text: str) -> str:
    """What can be read and is probably not meant."""
    if KEYS[key].metadata["read"] is _truth and not _is_clear(text):
        return f"{text!r} is false here, as with every broker: write true or false"
    return ""


def settings(texts: Mapping[str, str]) -> Settings:
    """All that a profile says. Raises ValueError with what would be right."""
    said: dict[str, Any] = {KEYS[k].name: read(k, texts[k]) for k in KEYS.keys() & texts.keys()}
    return Settings(**said)
