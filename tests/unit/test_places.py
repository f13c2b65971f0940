"""Files and folders are looked at, and nothing is made."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from usher import places
from usher.places import appendable, listenable, readable, writable


@pytest.fixture(autouse=True)
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of every kind, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("nowhere").symlink_to("gone/away")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return tmp_path


@pytest.mark.parametrize(
    ("usable", "path"),
    [
        (readable, "file"),
        (appendable, "file"),
        (appendable, "new"),
        (appendable, "/dev/null"),
        (appendable, "new/folder/file"),
        (writable, "folder"),
        (writable, "new/folder"),
        (listenable, "socket"),
        (listenable, "new/folder/socket"),
    ],
)
def test_what_can_be_used_is_left_as_it_is(things: Path, usable: Callable[[Path], None], path: str):
    before = sorted(things.rglob("*"))
    usable(Path(path))
    assert sorted(things.rglob("*")) == before


@pytest.mark.parametrize(
    ("usable", "path", "told"),
    [
        (readable, "gone", "No such file or directory"),
        (readable, "folder", "is no file"),
        (readable, "pipe", "is no file"),
        (appendable, "folder", "is no file"),
        (appendable, "pipe", "is no file"),
        (appendable, "file/below", "file is no folder"),
        (writable, "file", "file is no folder"),
        (writable, "file/below", "file is no folder"),
        (listenable, "file", "is not a socket: choose another path"),
        (listenable, "folder", "is not a socket: choose another path"),
        (listenable, "file/below", "file is no folder"),
        (listenable, "x" * 108, "a socket's path has at most 107 bytes, this one 108"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_name(
    usable: Callable[[Path], None], path: str, told: str
):
    with pytest.raises(OSError) as error:
        usable(Path(path))
    assert (str(error.value.filename), error.value.strerror) == (path, told)


@pytest.mark.parametrize(
    ("usable", "path", "told"),
    [
        (readable, "file", "cannot be read by root"),
        (appendable, "file", "cannot be written by root"),
        (appendable, "new", "root cannot write in .: as root: install -d -o root ."),
        (writable, "new/folder", "root cannot write in .: as root: install -d -o root new/folder"),
        (listenable, "socket", "root cannot write in .: as root: install -d -o root ."),
    ],
)
def test_a_missing_right_brings_its_remedy(
    monkeypatch: pytest.MonkeyPatch, usable: Callable[[Path], None], path: str, told: str
):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(places, "_myself", lambda: "root")
    with pytest.raises(PermissionError) as error:
        usable(Path(path))
    assert error.value.strerror == told
