"""Session profiles from the INI file that X2Go brokers have always used."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from usher.access import Catalogue, lists_of
from usher.accounts import read_map
from usher.errors import Fault
from usher.model import Option, Profile, Server, User
from usher.profiles.loading import Loaded, Loader, lines_with
from usher.profiles.names import resolve
from usher.profiles.pace import Steps, at_once, dropped, gathered, in_turns, nothing_collected

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
LOOKS = 8
LOOKS_AT_ANOTHER = 2
"""So many times the file must look the same before it counts as written to the end.

Another file in its place is usually written before it is put there.
"""

RESOLVE_SECONDS = 300.0
"""So often the host names in client lists are looked up again."""

PATIENCE_SECONDS = 2.0
RESOLVE_PATIENCE_SECONDS = 10.0
"""So long such a look-up may take: before the first request, and beside the others."""

Signature = tuple[int, ...]
"""What changes when a file does, its inode first; the inode alone while it has yet to be read."""

LARGEST_BYTES = 64 * 1024 * 1024
"""A profile file of any site is far smaller."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One state of the file, and what follows from it."""

    loaded: Loaded
    catalogue: Catalogue
    servers: frozenset[Server]
    faults: tuple[Fault, ...] = ()


class IniFile:
    """The profile file of X2Go brokers; a changed one is live within a second.

    path: the file
    """

    def __init__(self, *, path: Path = Path("/etc/x2go/broker/x2gobroker-sessionprofiles.conf")):
        self._path = path
        self._memory = _memory(path)
        self._reading = self._memory.reading
        self._signature = _look(path)
        self._refused: tuple[Fault, ...] = ()
        self._renewed = asyncio.Event()
        try:
            with nothing_collected():
                reading = at_once(self._make(_read(path, ())))
            self._take(_with_maps(reading))
        except OSError as error:
            self._keep(error)
        self._resolve(PATIENCE_SECONDS)

    async def profiles(self, user: User) -> Catalogue:
        """Everything in the file; the access rules say what this user sees of it."""
        return self._reading.catalogue

    async def servers(self, profile: Profile, user: User) -> Sequence[Server]:
        """Those that the profile names."""
        return profile.servers

    def known_servers(self) -> Collection[Server]:
        """Those of all profiles."""
        return self._reading.servers

    def faults(self) -> Sequence[Fault]:
        """Of the file as last read, and of those it names; a fatal one: it could not be taken."""
        return self._refused or self._reading.faults

    def places(self, key: str, value: Option) -> Sequence[tuple[Path, int]]:
        """Where the file says so, as it is now; nowhere when it cannot be read."""
        with suppress(OSError):
            return [(self._path, line) for line in lines_with(key, value, _read(self._path, ()))]
        return []

    async def run(self) -> None:
        """Watch the file, and keep the addresses of host names fresh."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._keep_resolved())

    async def _watch(self) -> None:
        looks: deque[Signature] = deque(maxlen=LOOKS)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks.append(await asyncio.to_thread(_look, self._path))
            same = looks[-1][:1] == self._signature[:1]
            settled = looks.count(looks[-1]) >= (LOOKS if same else LOOKS_AT_ANOTHER)
            if settled and looks[-1] != self._signature:
                self._signature = looks[-1]
                looks.clear()
                await self._reload(self._signature)

    async def _keep_resolved(self) -> None:
        while True:
            self._renewed.clear()
            await asyncio.to_thread(self._resolve, RESOLVE_PATIENCE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(RESOLVE_SECONDS):
                    await self._renewed.wait()

    def _resolve(self, seconds: float) -> None:
        catalogue = self._reading.catalogue
        if catalogue.host_names:
            catalogue.names = resolve(catalogue.host_names, catalogue.names, seconds)

    async def _reload(self, settled: Signature) -> None:
        known = _wrong(self.faults())
        try:
            text = await asyncio.to_thread(_read, self._path, settled)
            with nothing_collected():
                reading = await in_turns(self._make(text))
            before = [*self._reading.loaded.profiles]
            self._take(await asyncio.to_thread(_with_maps, reading))
            await in_turns(dropped(before))
        except OSError as error:
            self._keep(error)
        wrong = _wrong(self.faults())
        for fault in sorted(wrong - known):
            log.error("%s", fault)
        if known and not wrong:
            log.info("%s: is mended, and live as it stands", self._path)

    def _make(self, text: str) -> Steps[_Reading]:
        """What the text means, without changing anything that clients can see."""
        loaded = yield from self._memory.loader.load(text)
        yield
        servers = frozenset(s for p in loaded.profiles for s in (*p.servers, p.key_proxy) if s)
        yield
        catalogue = self._reading.catalogue
        if loaded.profiles != catalogue.profiles:
            lists = yield from gathered(lists_of(loaded.profiles))
            catalogue = Catalogue(loaded.profiles, catalogue.names, lists)
        return _Reading(loaded, catalogue, servers, loaded.faults)

    def _take(self, reading: _Reading) -> None:
        if not reading.loaded.whole:
            self._refused = reading.loaded.faults
            return
        self._reading = self._memory.reading = reading
        self._refused = ()
        self._renewed.set()

    def _keep(self, error: OSError) -> None:
        """What was good stays; the trouble may pass, so the file is read again."""
        message = f"cannot be read: {error.strerror or error}"
        self._refused = (Fault(self._path, 1, "file", message, fatal=True),)
        self._signature = self._signature[:1]


@dataclass(slots=True)
class _Memory:
    """What whoever reads the configuration again still knows of a file: the last good reading."""

    loader: Loader
    reading: _Reading = field(
        default_factory=lambda: _Reading(Loaded(), Catalogue(()), frozenset())
    )


@lru_cache(maxsize=8)
def _memory(path: Path) -> _Memory:
    """One for each file: only what has changed is made anew, and what is spoilt is not taken."""
    return _Memory(Loader(path))


def _with_maps(reading: _Reading) -> _Reading:
    """What is wrong in the files that profiles name, as well."""
    maps = {profile.settings.login_map for profile in reading.loaded.profiles} - {""}
    faults = [fault for path in sorted(maps) for fault in read_map(path).faults]
    return replace(reading, faults=(*reading.faults, *faults))


def _wrong(faults: Iterable[Fault]) -> frozenset[Fault]:
    """Those that cost something."""
    return frozenset(fault for fault in faults if not fault.warning)


def _look(path: Path) -> Signature:
    """What the file is now; nothing when there is none."""
    try:
        return _signature(path.stat())
    except OSError:
        return ()


def _read(path: Path, settled: Signature) -> str:
    """The text as it stood while nobody wrote; bytes that are not UTF-8 become half surrogates."""
    with open(
        path, encoding="utf-8-sig", errors="surrogateescape", opener=_without_waiting
    ) as file:
        before = _signature(os.fstat(file.fileno()))
        text = file.read()
        if _signature(os.fstat(file.fileno())) != before or settled not in ((), before):
            raise OSError("it is being written")
    return text


def _without_waiting(path: str, flags: int) -> int:
    """Open a regular file; anything else, or a huge one, could keep its reader for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_BYTES:
        return descriptor
    os.close(descriptor)
    raise OSError(f"it is no regular file of at most {LARGEST_BYTES >> 20} MiB")


def _signature(status: os.stat_result) -> Signature:
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
