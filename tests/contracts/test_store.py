"""What every store promises."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import FakeStore

from usher.ports import Store
from usher.store.sqlite import Sqlite


@pytest.fixture(params=[lambda folder: Sqlite(path=folder), lambda _: FakeStore()])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    make: Callable[[Path], Store] = request.param
    return make(tmp_path)


def test_it_fits_the_port(store: Store):
    assert isinstance(store, Store)


def test_a_secret_is_32_bytes_and_the_same_ever_after(store: Store):
    assert len(store.secret("secret")) == 32
    assert store.secret("secret") == store.secret("secret")


def test_a_secret_of_another_kind_is_made_once(store: Store):
    made = [b"-----BEGIN", b"another"]
    assert [store.secret("key", made.pop) for _ in range(2)] == [b"another", b"another"]
    assert made == [b"-----BEGIN"]


def test_every_name_has_a_secret_of_its_own(store: Store):
    assert store.secret("one") != store.secret("other")


async def test_nobody_is_revoked_at_first(store: Store):
    assert await store.revocations() == {}


async def test_a_revocation_is_remembered_with_its_time(store: Store):
    await store.revoke("jürgen müller", 1000.5)
    await store.revoke("bob", 2000.0)
    assert await store.revocations() == {"jürgen müller": 1000.5, "bob": 2000.0}


async def test_the_latest_revocation_counts_whatever_came_last(store: Store):
    for since in (2000.0, 3000.0, 1000.0):
        await store.revoke("alice", since)
    assert await store.revocations() == {"alice": 3000.0}


async def test_many_revocations_at_once_are_all_remembered(store: Store):
    await asyncio.gather(*(store.revoke(f"user{number}", number) for number in range(20)))
    assert len(await store.revocations()) == 20


async def test_what_is_kept_is_there_until_it_is_dropped(store: Store):
    assert await store.kept("drained") == {}
    await store.keep("drained", "ts1", "")
    await store.keep("drained", "ts2", "old")
    await store.keep("drained", "ts2", "new ä")
    await store.keep("other", "ts1", "x")
    assert await store.kept("drained") == {"ts1": "", "ts2": "new ä"}
    await store.drop("drained", "ts1")
    await store.drop("drained", "nobody")
    assert await store.kept("drained") == {"ts2": "new ä"}
    assert await store.kept("other") == {"ts1": "x"}


async def test_what_is_kept_can_be_found_by_its_name(store: Store):
    await store.keep("totp", "alice", "ä")
    assert await store.find("totp", "alice") == "ä"
    for kind, name in (("totp", "bob"), ("other", "alice")):
        with pytest.raises(KeyError):
            await store.find(kind, name)


async def test_a_value_is_swapped_only_for_the_one_that_is_kept(store: Store):
    await store.keep("totp", "alice", "old")
    assert not await store.swap("totp", "alice", "older", "new")
    assert not await store.swap("totp", "bob", "old", "new")
    assert await store.swap("totp", "alice", "old", "new")
    assert await store.kept("totp") == {"alice": "new"}


async def test_of_many_who_swap_at_once_one_succeeds(store: Store):
    await store.keep("totp", "alice", "old")
    swaps = [store.swap("totp", "alice", "old", str(number)) for number in range(8)]
    done = await asyncio.gather(*swaps)
    assert done.count(True) == 1
    assert await store.find("totp", "alice") == str(done.index(True))


class TestSqlite:
    """What a folder on a disk promises beside that."""

    async def test_another_one_at_the_same_folder_knows_the_same(self, tmp_path: Path):
        first, second = Sqlite(path=tmp_path), Sqlite(path=tmp_path)
        await first.revoke("alice", 1.0)
        assert await second.revocations() == {"alice": 1.0}
        assert first.secret("secret") == second.secret("secret")

    def test_nobody_else_can_read_what_it_keeps(self, tmp_path: Path):
        folder = tmp_path / "some" / "where"
        Sqlite(path=folder).secret("secret")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
        assert os.listdir(folder) == ["secret"]

    def test_the_secret_is_the_same_for_all_who_make_it_at_once(self, tmp_path: Path):
        with ThreadPoolExecutor() as threads:
            stores = [Sqlite(path=tmp_path) for _ in range(8)]
            assert len({*threads.map(lambda store: store.secret("secret"), stores)}) == 1

    def test_a_secret_that_was_cut_short_is_not_used(self, tmp_path: Path):
        (tmp_path / "secret").write_bytes(b"short")
        with pytest.raises(OSError, match="must hold 32 bytes and holds 5"):
            Sqlite(path=tmp_path).secret("secret")

    async def test_without_its_folder_there_is_nothing_to_revoke_and_nothing_is_made(
        self, tmp_path: Path
    ):
        with pytest.raises(OSError, match="there is nothing to change"):
            await Sqlite(path=tmp_path / "some" / "where").revoke("alice", 1.0)
        assert not [*tmp_path.iterdir()]

    def test_a_folder_that_cannot_be_one_is_an_error_at_once(self, tmp_path: Path):
        (tmp_path / "file").touch()
        for path in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(OSError, match="file is no folder") as error:
                Sqlite(path=path)
            assert error.value.filename == str(path)

    async def test_without_its_folder_nothing_is_kept_and_nothing_is_made(self, tmp_path: Path):
        store = Sqlite(path=tmp_path / "some" / "where")
        assert await store.kept("totp") == {}
        with pytest.raises(KeyError):
            await store.find("totp", "alice")
        assert not [*tmp_path.iterdir()]

    async def test_what_others_keep_in_its_folder_is_none_of_its_business(self, tmp_path: Path):
        (tmp_path / ".ssh").mkdir()
        os.mkfifo(tmp_path / "pipe")
        assert await Sqlite(path=tmp_path).revocations() == {}

    def test_a_database_that_is_none_is_told_of_by_its_name(self, tmp_path: Path):
        (tmp_path / "usher.db").write_bytes(b"no database" * 1000)
        with pytest.raises(OSError, match=r"file is not a database: .*usher\.db"):
            Sqlite(path=tmp_path)
        assert os.listdir(tmp_path) == ["usher.db"]
