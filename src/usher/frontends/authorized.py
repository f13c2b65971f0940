"""A folder of public keys: a file for each user, named like the user."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR, S_ISREG, S_IWGRP, S_IWOTH
from typing import Final

MOST_BYTES = 256 * 1024
_is_name: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}", re.ASCII).fullmatch


def checked_folder(folder: Path) -> None:
    """Raises OSError unless it is a folder that nobody but root or the daemon can change."""
    _check(folder, folder.stat(), S_ISDIR, "is no folder")


def keys_of(folder: Path, username: str) -> str:
    """The lines of this user's file; empty when there is none, or when it can have none.

    Raises OSError when there is one that cannot be trusted or read.
    """
    if not _is_name(username):
        return ""
    checked_folder(folder)
    try:
        with open(folder / username, encoding="utf-8", errors="replace", opener=_unhurried) as file:
            _check(folder / username, os.fstat(file.fileno()), S_ISREG, "is no file")
            return file.read(MOST_BYTES)
    except FileNotFoundError:
        return ""


def _unhurried(path: str, flags: int) -> int:
    """A pipe without a writer must not hold us up."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check(path: Path, found: os.stat_result, kind: Callable[[int], bool], wrong: str) -> None:
    if not kind(found.st_mode):
        raise OSError(errno.EINVAL, wrong, str(path))
    if found.st_uid not in (0, os.geteuid()):
        raise OSError(errno.EPERM, "belongs to neither root nor the daemon: chown it", str(path))
    if found.st_mode & (S_IWGRP | S_IWOTH):
        raise OSError(errno.EPERM, "others can write to it: chmod go-w", str(path))
