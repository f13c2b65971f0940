"""A folder on this machine: a SQLite database, and secrets in files of their own."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_bytes
from tempfile import NamedTemporaryFile

from usher import places

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS revocation (username TEXT PRIMARY KEY, since REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS kept (
        kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name)
    );
"""
_REVOKE = """
    INSERT INTO revocation VALUES (?, ?)
    ON CONFLICT (username) DO UPDATE SET since = max(since, excluded.since)
"""
_FIND = "SELECT value FROM kept WHERE kind = ? AND name = ?"
_SWAP = "UPDATE kept SET value = ? WHERE kind = ? AND name = ? AND value = ?"
_SECRET_BYTES = 32
_NOTHING = "there is nothing to change: no daemon has ever kept anything here"


class Sqlite:
    """A folder on this machine, made at the first need, that only the daemon's account can read.

    path: the folder: database, secret, host keys
    """

    def __init__(self, *, path: Path = Path("/var/lib/usher")) -> None:
        places.writable(path, "0700")
        for file in filter(Path.is_file, path.glob("*")):
            places.appendable(file)
        self._folder = path
        self._look()

    def secret(self, name: str, make: Callable[[], bytes] | None = None) -> bytes:
        """Read the file ``name``, or make it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / name
        if not path.exists():
            self._make_secret(path, make() if make else token_bytes(_SECRET_BYTES))
        secret = path.read_bytes()
        if not make and len(secret) != _SECRET_BYTES:
            raise OSError(f"{path} must hold {_SECRET_BYTES} bytes and holds {len(secret)}")
        return secret

    async def revoke(self, username: str, since: float) -> None:
        """Write it to the disk; only then is it said to be done.

        Without the folder there never was a secret to sign a login with: an OSError.
        """
        await asyncio.to_thread(self._revoke, username, since)

    async def revocations(self) -> Mapping[str, float]:
        """Read them all."""
        return await asyncio.to_thread(self._revocations)

    async def keep(self, kind: str, name: str, value: str) -> None:
        """Write it to the disk."""
        await self._change("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kind, name, value)

    async def drop(self, kind: str, name: str) -> None:
        """Take it off the disk."""
        await self._change("DELETE FROM kept WHERE kind = ? AND name = ?", kind, name)

    async def find(self, kind: str, name: str) -> str:
        """Read it."""
        return await asyncio.to_thread(self._find, kind, name)

    async def kept(self, kind: str) -> Mapping[str, str]:
        """Read them all."""
        return await asyncio.to_thread(self._kept, kind)

    async def swap(self, kind: str, name: str, old: str, new: str) -> bool:
        """Write it to the disk, if the other one is there."""
        return await self._change(_SWAP, new, kind, name, old) == 1

    async def _change(self, statement: str, *values: str) -> int:
        """Return how many were changed."""

        def change() -> int:
            self._need_folder()
            with self._database() as database:
                return database.execute(statement, values).rowcount

        return await asyncio.to_thread(change)

    def _find(self, kind: str, name: str) -> str:
        if not self._folder.exists():
            raise KeyError(name)
        with self._database() as database:
            for (value,) in database.execute(_FIND, (kind, name)):
                return str(value)
        raise KeyError(name)

    def _kept(self, kind: str) -> Mapping[str, str]:
        if not self._folder.exists():
            return {}
        with self._database() as database:
            return dict(database.execute("SELECT name, value FROM kept WHERE kind = ?", (kind,)))

    def _revoke(self, username: str, since: float) -> None:
        self._need_folder()
        with self._database() as database:
            database.execute(_REVOKE, (username, since))

    def _need_folder(self) -> None:
        """Made by root, the daemon could not use it."""
        if not self._folder.exists():
            raise OSError(errno.ENOENT, _NOTHING, str(self._folder))

    def _revocations(self) -> Mapping[str, float]:
        with self._database() as database:
            return dict(database.execute("SELECT username, since FROM revocation"))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one job: they are rare, and this way no thread owns one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / "usher.db"
        try:
            with closing(sqlite3.connect(path, timeout=10)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(_SCHEMA)
                _belong_with(self._folder, path)
                with database:
                    yield database
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error

    def _look(self) -> None:
        """Is it a database? Nothing beside it is made to find out. Raises OSError."""
        path = self._folder / "usher.db"
        if path.exists():
            uri = f"{path.absolute().as_uri()}?immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as database:
                try:
                    database.execute("PRAGMA schema_version")
                except sqlite3.Error as error:
                    raise OSError(errno.EINVAL, str(error), str(path)) from error

    def _make_secret(self, path: Path, secret: bytes) -> None:
        """Whole or not at all, and one winner when two daemons start at once."""
        with NamedTemporaryFile(dir=self._folder) as draft:
            draft.write(secret)
            draft.flush()
            os.fsync(draft.fileno())
            with suppress(FileExistsError):
                os.link(draft.name, path)
        _belong_with(self._folder, path)


def _belong_with(folder: Path, path: Path) -> None:
    """What root writes here is for the daemon, whose folder it is."""
    owner = folder.stat()
    if os.geteuid() == 0 and path.stat().st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)
