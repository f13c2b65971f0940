"""The audit log loses no line and fills no other log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from usher import audit
from usher.audit import AuditLog, Decision


def decision(user: str) -> Decision:
    return Decision(1.0, "login", user, "192.0.2.1", "granted")


def users(path: Path) -> list[str]:
    return [json.loads(line)["user"] for line in path.read_text().splitlines()]


@asynccontextmanager
async def working(log: AuditLog) -> AsyncIterator[None]:
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(log.run())
        await asyncio.sleep(0)
        yield
        running.cancel()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FLUSH_SECONDS", 0)


async def test_the_folder_is_made_and_every_line_is_written(tmp_path: Path):
    path = tmp_path / "new" / "audit.log"
    log = AuditLog(path)
    async with working(log):
        log(decision("alice"))
        log(decision("bob"))
    assert users(path) == ["alice", "bob"]


async def test_a_disk_in_trouble_is_told_of_once_and_no_line_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    path.unlink()
    path.mkdir()
    async with working(log):
        for name in ("alice", "bob"):
            log(decision(name))
            await until(lambda: bool(caplog.records))
        path.rmdir()
        await until(path.exists)
        await until(lambda: len(caplog.records) == 2)
    assert users(path) == ["alice", "bob"]
    assert [record.getMessage() for record in caplog.records] == [
        f"audit: {path}: Is a directory",
        f"audit: {path}: lines are written again",
    ]
    assert not any(record.exc_info for record in caplog.records)


async def until(done) -> None:
    while not done():
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["folder", "file/below"])
def test_a_path_that_can_be_no_log_is_an_error_at_once(tmp_path: Path, path: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"is no (file|folder)"):
        AuditLog(tmp_path / path)
