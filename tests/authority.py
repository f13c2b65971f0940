"""A certificate authority that lives as long as a test."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Issues certificates for 127.0.0.1 into ``cert.pem`` and ``key.pem`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.certificate = folder / "cert.pem"
        self.key = folder / "key.pem"
        self.issue()

    def issue(self, kind: trustme.KeyType = trustme.KeyType.ECDSA) -> None:
        """A new certificate with a new key, put in place one file after the other."""
        issued = self._ca.issue_cert("127.0.0.1", "localhost", key_type=kind)
        _replace(self.key, issued.private_key_pem.bytes())
        _replace(self.certificate, b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    def client(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority alone, and speaks this version."""
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def tables(self) -> dict[str, dict[str, object]]:
        """The configuration of a daemon that uses it."""
        return {"http": {"certificate": self.certificate, "key": self.key}}


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)
