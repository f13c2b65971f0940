"""Asks PAM, through the helper that runs as root: src/usher/helpers/pam.py."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

from usher.errors import AuthFailed
from usher.model import Client, Credential

_HEAD = struct.Struct(">I")


class Pam:
    """The system's own login check, as the PAM service of the helper ``usher-pam`` describes it.

    socket: the helper's Unix socket
    timeout: seconds PAM may take, without the delay after a wrong password
    """

    def __init__(self, *, socket: Path = Path("/run/usher/pam.sock"), timeout: float = 30) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {timeout:g}")
        self._socket = socket
        self._timeout = timeout

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name that PAM proved. An OSError says that PAM, or the helper, could not tell."""
        if not credential.username or not credential.password:
            raise AuthFailed(detail="empty user or password: PAM was not asked")
        question = "\0".join((credential.username, credential.password, str(client.address)))
        try:
            async with asyncio.timeout(self._timeout):
                verdict, wait, text = (await self._ask(question)).split("\0")
        except TimeoutError:
            words = f"no answer from the PAM helper at {self._socket} in {self._timeout:g} seconds"
            raise TimeoutError(words) from None
        # PAM's delay after a wrong password: this client waits, and nobody else.
        await asyncio.sleep(int(wait) / 1e6)
        if verdict == "denied":
            raise AuthFailed(detail=text)
        if verdict != "granted":
            raise OSError(f"PAM could not tell: {text}")
        return text

    async def _ask(self, question: str) -> str:
        body = question.encode()
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            raise OSError(
                f"the PAM helper at {self._socket} cannot be reached ({error.strerror or error}): "
                "see systemctl status usher-pam"
            ) from error
        try:
            writer.write(_HEAD.pack(len(body)) + body)
            (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            return (await reader.readexactly(length)).decode()
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError(
                f"the PAM helper at {self._socket} left without an answer: "
                "see journalctl -u usher-pam"
            ) from error
        finally:
            writer.close()
