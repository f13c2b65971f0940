"""A profile file that is watched, and what comes of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from usher.model import User, client_at
from usher.profiles.inifile import IniFile

ALICE = User("alice")
HERE = client_at("127.0.0.1")


@asynccontextmanager
async def watched(path):
    source = IniFile(path=path)
    task = asyncio.get_running_loop().create_task(source.run())
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def shown(source):
    return [profile.id for profile in (await source.profiles(ALICE)).visible(ALICE, HERE)]


async def comes_to_show(source, expected):
    async with asyncio.timeout(5):
        while await shown(source) != expected:
            await asyncio.sleep(0.001)


async def comes_to_say(source, words):
    async with asyncio.timeout(5):
        while words not in str([*map(str, source.faults())]):
            await asyncio.sleep(0.001)
