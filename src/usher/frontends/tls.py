"""A TLS certificate that can be renewed while connections are open."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from usher import places

log = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
_MISFIT = "certificate and key do not fit together, or one is no PEM file without a password"


class Certificate:
    """The certificate and key in these files, read again when they change.

    A connection keeps the certificate it began with. Raises OSError, with the file that is to
    blame, when they cannot be used at the start; later, the last good ones stay.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._look()
        self._newest = self._load()
        self.context = self._load()
        # Asked at every handshake, with a server name or without: a new context for new clients.
        self.context.sni_callback = self._use_newest

    async def run(self) -> None:
        """Watch the files until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            if (now := self._look()) != self._seen:
                self._seen = now
                self.reload()

    def reload(self) -> None:
        """Read the files now; when they cannot be used, say so and keep what there is."""
        try:
            self._newest = self._load()
        except OSError as error:
            message = "the new certificate %s cannot be used, the old one stays: %s"
            log.error(message, error.filename, error.strerror)
        else:
            log.info("new connections get the certificate %s as it is now", self._files[0])

    def _load(self) -> ssl.SSLContext:
        for file in self._files:
            places.readable(file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(*self._files, password="")  # or OpenSSL asks the terminal
        except ssl.SSLError as error:
            raise OSError(error.errno, _MISFIT, str(self._files[0])) from error
        return context

    def _look(self) -> Sequence[tuple[int, int]]:
        """What tells a new file from the old one; nothing while it is being replaced."""
        try:
            return [(s.st_mtime_ns, s.st_ino) for s in map(Path.stat, self._files)]
        except FileNotFoundError:
            return []

    def _use_newest(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._newest


def end_of(certificate: Path) -> datetime:
    """When the certificate in this file ends. Raises OSError and ValueError."""
    from cryptography import x509  # slow

    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
