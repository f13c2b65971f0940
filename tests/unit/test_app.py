"""A daemon in the test's own process."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

from daemon import write_config

from usher.app import Daemon
from usher.config import load


async def test_a_reload_leaves_nothing_of_the_old_configuration_behind(tmp_path: Path):
    daemon = Daemon(load(write_config(tmp_path)))
    old = weakref.ref(daemon._parts.profiles)
    gc.disable()
    try:
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            living = tasks.create_task(daemon._live())
            await reloaded(daemon)
            while old() is not None:
                await asyncio.sleep(0)
            living.cancel()
    finally:
        gc.enable()


async def reloaded(daemon: Daemon) -> None:
    before = daemon._parts
    daemon._hangup.set()
    while daemon._parts is before:
        await asyncio.sleep(0)
