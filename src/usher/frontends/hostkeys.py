"""The private keys that the built-in SSH server proves itself with."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncssh

from usher import places

Secret = Callable[[str, Callable[[], bytes]], bytes]
"""``Store.secret``."""

_OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "ssh_host_ed25519_key": {"alg_name": "ssh-ed25519"},
    "ssh_host_rsa_key": {"alg_name": "ssh-rsa", "key_size": 3072},
}


def read_host_keys(paths: Sequence[Path]) -> list[asyncssh.SSHKeyPair]:
    """The private keys in these files. Raises OSError with the file."""
    for path in paths:
        places.private(path)
    return [_import(path.read_bytes(), str(path)) for path in paths]


def own_host_keys(secret: Secret) -> list[asyncssh.SSHKeyPair]:
    """Those that the store has kept since the first start. Raises OSError."""
    return [_import(secret(name, partial(_make, kind)), name) for name, kind in _OWN.items()]


def _make(kind: Mapping[str, Any]) -> bytes:
    return asyncssh.generate_private_key(**kind).export_private_key()


def _import(text: bytes, name: str) -> asyncssh.SSHKeyPair:
    try:
        [pair] = asyncssh.load_keypairs([asyncssh.import_private_key(text)])
    except ValueError as error:  # KeyImportError and KeyEncryptionError are ones
        sentence = f"is no private key without a passphrase: {error}"
        raise OSError(errno.EINVAL, sentence, name) from error
    if pair.get_algorithm() == "ssh-rsa":  # not with SHA-1; and asyncssh mixes up several ways
        pair.host_key_algorithms = [b"rsa-sha2-512"]
    return pair
