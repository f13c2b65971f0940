"""A file of keys is read for the user it is named like, if nobody else could have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usher.frontends.authorized import MOST_BYTES, checked_folder, keys_of

LINES = "ssh-ed25519 AAAA alice\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a file for alice, and things beside it that are none of hers."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    for name in ("alice", ".hidden", "-x"):
        (folder / name).write_text(LINES)
        (folder / name).chmod(0o644)
    (tmp_path / "outside").write_text(LINES)
    return folder


def test_the_lines_are_those_of_the_users_file(folder: Path):
    assert keys_of(folder, "alice") == LINES


@pytest.mark.parametrize(
    "name",
    ["bob", "", ".", "..", "../outside", "./alice", "alice/", ".hidden", "-x", "a\0b", "älice"]
    + ["alice\n", "x" * 1000],
)
def test_other_names_have_no_lines(folder: Path, name: str):
    assert keys_of(folder, name) == ""


@pytest.mark.parametrize(
    ("what", "mode", "told"),
    [
        ("keys/alice", 0o664, "others can write to it: chmod go-w"),
        ("keys/alice", 0o646, "others can write to it: chmod go-w"),
        ("keys", 0o775, "others can write to it: chmod go-w"),
    ],
)
def test_what_others_can_write_to_is_not_believed(folder: Path, what: str, mode: int, told: str):
    (folder.parent / what).chmod(mode)
    with pytest.raises(OSError, match=told) as error:
        keys_of(folder, "alice")
    assert error.value.filename == str(folder.parent / what)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_somebody_else_is_not_believed(folder: Path):
    os.chown(folder / "alice", 1, 1)
    with pytest.raises(OSError, match="belongs to neither root nor the daemon: chown it"):
        keys_of(folder, "alice")


def test_what_is_no_file_is_told_of_and_holds_nobody_up(folder: Path):
    os.mkfifo(folder / "pipe", mode=0o600)
    (folder / "below").mkdir(mode=0o755)
    for name in ("pipe", "below"):
        with pytest.raises(OSError):
            keys_of(folder, name)


def test_a_folder_that_is_none_is_told_of(folder: Path):
    checked_folder(folder)
    with pytest.raises(OSError, match="No such file"):
        checked_folder(folder / "gone")
    with pytest.raises(OSError, match="is no folder"):
        checked_folder(folder / "alice")


def test_a_huge_file_is_not_read_whole_and_bad_utf_8_is_no_reason_to_fail(folder: Path):
    (folder / "alice").write_bytes(b"\xff\n" + b"#" * (2 * MOST_BYTES))
    assert len(keys_of(folder, "alice")) == MOST_BYTES
