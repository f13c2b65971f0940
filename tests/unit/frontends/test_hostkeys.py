"""Host keys: those of files, or else ones that are made once."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest
from fakes import FakeStore

from usher.frontends.hostkeys import own_host_keys, read_host_keys


def written(folder: Path, mode: int = 0o600, passphrase: str | None = None) -> Path:
    path = folder / "key"
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(path, passphrase=passphrase)
    path.chmod(mode)
    return path


def test_one_of_each_kind_is_made_and_is_the_same_ever_after():
    store = FakeStore()
    first, again = own_host_keys(store.secret), own_host_keys(store.secret)
    assert [pair.get_algorithm() for pair in first] == ["ssh-ed25519", "ssh-rsa"]
    assert [pair.public_data for pair in first] == [pair.public_data for pair in again]


def test_none_of_them_signs_with_sha_1():
    offered = {
        name for pair in own_host_keys(FakeStore().secret) for name in pair.host_key_algorithms
    }
    assert offered == {b"ssh-ed25519", b"rsa-sha2-512"}


def test_what_the_store_keeps_for_a_key_and_is_none_is_told_of():
    with pytest.raises(OSError, match="is no private key.*ssh_host_ed25519_key"):
        own_host_keys(lambda name, make: b"nonsense")


def test_the_keys_of_files_are_read(tmp_path: Path):
    path = written(tmp_path)
    public = asyncssh.read_private_key(path).public_data
    assert [pair.public_data for pair in read_host_keys([path])] == [public]


def test_a_file_that_everybody_can_read_is_no_secret(tmp_path: Path):
    with pytest.raises(OSError, match="is open to everybody: chmod o="):
        read_host_keys([written(tmp_path, mode=0o644)])


def test_a_key_that_cannot_be_read_is_told_with_its_file(tmp_path: Path):
    path = written(tmp_path, passphrase="secret")
    for _ in range(2):
        with pytest.raises(OSError, match="is no private key without a passphrase") as error:
            read_host_keys([path])
        assert error.value.filename == str(path)
        path.write_text("nonsense")
