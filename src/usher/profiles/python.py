"""The smallest backend: a Python file of twenty lines, written by the administrator."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, TypeVar

from usher.access import Catalogue
from usher.errors import AuthFailed
from usher.model import Client, Credential, Profile, Server, User
from usher.profiles.hosts import read_place
from usher.profiles.ids import safe_ids
from usher.profiles.program import Program
from usher.profiles.reading import BUILT_IN, make_profile, read_section
from usher.profiles.statements import NOT_SET, Note, Statement, read_entry, spoilt

log = logging.getLogger(__name__)

REMEMBERED = 1024
"""So many users, servers and faults are known again, the latest of each."""

_REQUIRED = {"list_profiles": "user", "select_profile": "user, sid"}
_OPTIONAL = {"check_access": "user, password, authid"}

_Listed = Mapping[str, Mapping[object, object]]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_BELOW = {key: statement for key, statement in BUILT_IN.items() if key != "host"}
_UNSPEAKABLE = (
    "sends X2Go Client nowhere, which can be told no IPv6 address: return a name that has it"
)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What the file last offered a user, and what that means."""

    listed: _Listed
    catalogue: Catalogue


class PythonFile:
    """A Python file with ``list_profiles(user)`` and ``select_profile(user, sid)``.

    With ``check_access(user, password, authid)`` in it, it is an authenticator as well. Every
    function has ten seconds: in a thread, or on the event loop when it is ``async``.

    path: the file
    """

    def __init__(self, *, path: Path) -> None:
        self._path = path
        self._program = Program(path, _REQUIRED, _OPTIONAL)
        self._offers: OrderedDict[str, _Offer] = OrderedDict()
        self._servers: OrderedDict[Server, None] = OrderedDict()
        self._noted: OrderedDict[tuple[str, Note], None] = OrderedDict()
        if "check_access" in self._program:
            # Only then: the attribute is what makes it fit the port Authenticator.
            self.authenticate = self._authenticate

    async def profiles(self, user: User) -> Catalogue:
        """What ``list_profiles`` gives this user; the same object as long as that is the same."""
        listed = await self._program.ask("list_profiles", user.name)
        offer = self._offers.get(user.name)
        if offer is None or offer.listed != listed:
            offer = await asyncio.to_thread(self._read, self._snapshot(listed))
        _remember(self._offers, user.name, offer)
        return offer.catalogue

    async def servers(self, profile: Profile, user: User) -> Sequence[Server]:
        """What ``select_profile`` says: one server, or none."""
        said = await self._program.ask("select_profile", user.name, profile.section)
        if said is None:
            return ()
        try:
            server = _server(said, int(str(profile.options.get("sshport", 22))))
        except ValueError as error:
            raise OSError(self._program.fault("select_profile", str(error))) from error
        if ":" in server.address and server not in self._servers:
            log.warning("%s", self._program.fault("select_profile", f"{said!r} {_UNSPEAKABLE}"))
        for named in filter(None, (server, profile.key_proxy)):
            _remember(self._servers, named, None)
        return (server,)

    def known_servers(self) -> Collection[Server]:
        """Those that ``select_profile`` has named lately, and the SSH proxies before them."""
        return frozenset(self._servers)

    async def _authenticate(self, credential: Credential, client: Client) -> str:
        """Ask ``check_access``; nothing but True lets in."""
        given = (credential.username, credential.password, credential.authid)
        answer = await self._program.ask("check_access", *given)
        if answer is not True:
            raise AuthFailed(detail=f"{self._path.name} said {answer!r}")
        return credential.username

    def _snapshot(self, listed: Any) -> _Listed:
        """What was given, as it is now: the program may go on changing it."""
        if not isinstance(listed, dict) or not all(
            isinstance(sid, str) and isinstance(keys, dict) for sid, keys in listed.items()
        ):
            words = f"must return {{sid: {{key: value}}}}, not {shortened(listed)}"
            raise OSError(self._program.fault("list_profiles", words))
        return {sid: {key: _copy(value) for key, value in listed[sid].items()} for sid in listed}

    def _read(self, listed: _Listed) -> _Offer:
        ids = safe_ids(listed)
        found = [self._profile(ids[sid], sid, listed[sid]) for sid in sorted(listed)]
        return _Offer(listed, Catalogue([profile for profile in found if profile]))

    def _profile(self, name: str, sid: str, keys: Mapping[object, object]) -> Profile | None:
        reading = read_section((0, _statement(key, value)) for key, value in keys.items())
        for note in reading.notes:
            known = (sid, note) in self._noted
            _remember(self._noted, (sid, note), None)
            if not known:
                log.warning("%s: %r: %s: %s", self._path, sid, note.key, note.message)
        return make_profile(name, sid, {**_BELOW, **reading.layer})


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Put it last, and let the first go when there are too many."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)


def _copy(value: object) -> object:
    return [*value] if isinstance(value, list) else value


def _statement(key: object, value: object) -> Statement:
    """What the program says about a key: a text as it stands, or a value of the key's type."""
    match value:
        case None:
            text = NOT_SET
        case bool():
            text = str(value).lower()
        case int() | str():
            text = str(value)
        case list() | tuple():
            text = ", ".join(map(str, value))
        case _:
            return spoilt(
                str(key), f"a {type(value).__name__} is no value: give a str, bool, int or list"
            )
    return read_entry(str(key), text, literal=True)


def _server(said: object, port: int) -> Server:
    """Read ``host``, ``host:port`` or ``[IPv6]:port``. Raises ValueError."""
    if not isinstance(said, str):
        raise ValueError(f"must return a str or None, not {said!r}")
    address, port = read_place(said.strip(), port)
    return Server(address, address, port)
