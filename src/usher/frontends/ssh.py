"""The built-in SSH server: a login, and then nothing but the commands of an X2Go client.

Importing asyncssh takes more time than all the rest: only a configured server imports this.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncssh

from usher.frontends.authorized import checked_folder
from usher.frontends.boundary import Handler
from usher.frontends.hostkeys import Secret, own_host_keys, read_host_keys
from usher.frontends.visit import House, Visit

asyncssh.set_log_level(logging.WARNING)  # it tells of every command, with what is in it

LOGIN_SECONDS = 120.0
STOP_SECONDS = 10.0
BACKLOG = 128

_MODERN: Final = {
    "kex_algs": "*25519-sha256*,ecdh-sha2-nistp*",
    "encryption_algs": "chacha20-poly1305@openssh.com,aes*-gcm@openssh.com,aes*-ctr",
    "mac_algs": "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
    "hmac-sha2-256,hmac-sha2-512",
    "signature_algs": "ssh-ed25519,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,"
    "ecdsa-sha2-nistp*,rsa-sha2-*",
    "compression_algs": "none",
}
_NOTHING_ELSE: Final = {
    "config": None,
    "gss_host": None,
    "x509_trusted_certs": None,
    "agent_forwarding": False,
    "line_editor": False,
}
_KEEPALIVE: Final = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 15, socket.TCP_KEEPCNT: 4}


class SshServer:
    """Listens for SSH clients. Without ``host_keys``, ``secret`` keeps keys of its own."""

    def __init__(
        self,
        handle: Handler,
        *,
        host: str,
        port: int,
        host_keys: Sequence[Path],
        authorized_keys: Path | None,
        secret: Secret,
    ) -> None:
        self._house = House(handle, authorized_keys)
        self._host, self._port = host, port
        self._host_keys, self._secret = host_keys, secret

    async def listen(self) -> str:
        """Accept connections; return the URL. Raises OSError."""
        if self._house.authorized_keys:
            checked_folder(self._house.authorized_keys)
        self._acceptor = await asyncssh.listen(
            self._host,
            self._port,
            backlog=BACKLOG,
            server_factory=lambda: Visit(self._house),
            server_host_keys=await asyncio.to_thread(self._keys),
            server_version="Usher",
            login_timeout=LOGIN_SECONDS,
            encoding=None,
            **_MODERN,
            **_NOTHING_ELSE,
        )
        for listening in self._acceptor.sockets:
            for option, value in _KEEPALIVE.items():
                listening.setsockopt(socket.IPPROTO_TCP, option, value)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"ssh://{host}:{self._acceptor.get_port()}"

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; then finish what has begun."""
        await stop.wait()
        self._acceptor.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(*(visit.leave() for visit in self._house.visits))

    def _keys(self) -> list[asyncssh.SSHKeyPair]:
        if self._host_keys:
            return read_host_keys(self._host_keys)
        return own_host_keys(self._secret)
