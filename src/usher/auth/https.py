"""Asks a web server: whoever gets in there with HTTP basic authentication gets in here."""

from __future__ import annotations

import asyncio
import errno
import ssl
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from usher import places
from usher.errors import AuthFailed
from usher.model import Client, Credential
from usher.places import is_loopback

_THREADS = 32
_LONGEST = 4096  # in base64 it still fits the 8 KiB that web servers allow a header line
_REFUSALS = {401, 403}
_UNKNOWN_AUTHORITY = {18, 19, 20}  # how OpenSSL says it: self-signed, its authority is, or unknown


class Https:
    """HTTP basic authentication at a web server, which may ask whatever it likes behind it.

    url: what to GET there: status 2xx lets in, 401 and 403 refuse, anything else says nothing
    ca: PEM file of the authority that signed the server's certificate; default: the system's
    timeout: seconds the server may take
    """

    def __init__(self, *, url: str, ca: Path | None = None, timeout: float = 10) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {timeout:g}")
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
            raise ValueError(f"url must look like https://server/path, not {url!r}")
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError(f"url {url!r} would send passwords in the clear: use https")
        self._origin = (parts.scheme, host, port)
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout
        self._tls = _context(ca)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="usher-https")

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name as it was given, when the server lets it in.

        An OSError says that the server could not be asked, or gave no clear answer.
        """
        if not credential.username or not credential.password:
            raise AuthFailed(detail="empty user or password")
        if ":" in credential.username:  # it would end the name there, and vouch for another one
            raise AuthFailed(detail="basic authentication knows no user names with a colon")
        pair = f"{credential.username}:{credential.password}".encode()
        if len(pair) > _LONGEST:
            raise AuthFailed(detail=f"user and password are longer than {_LONGEST} bytes")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                status = await loop.run_in_executor(self._threads, self._ask, pair)
        except (OSError, HTTPException) as error:
            raise OSError(f"{self._shown} cannot be asked: {self._reason(error)}") from error
        if status in _REFUSALS:
            raise AuthFailed(detail=f"{self._shown} answered {status}")
        if not 200 <= status <= 299:
            raise OSError(f"{self._shown} answered {status}: not yes, not no")
        return credential.username

    def _ask(self, pair: bytes) -> int:
        """The status of the server's answer; redirections are not followed."""
        headers = {"Authorization": f"Basic {b64encode(pair).decode()}", "Connection": "close"}
        connection = self._connection()
        try:
            connection.request("GET", self._target, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def _reason(self, error: Exception) -> object:
        """What is wrong, and what would be right if that is known."""
        match error:
            case TimeoutError():
                return f"no answer within {self._timeout:g} seconds"
            case ssl.SSLCertVerificationError(verify_code=code, verify_message=message):
                return f"{message}: set ca" if code in _UNKNOWN_AUTHORITY else message
            case OSError(strerror=str(message)):
                return message
        return str(error) or type(error).__name__

    def _connection(self) -> HTTPConnection:
        scheme, host, port = self._origin
        if scheme == "http":
            return HTTPConnection(host, port, timeout=self._timeout)
        return HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)


def _context(ca: Path | None) -> ssl.SSLContext:
    """Raises OSError with the path as its ``filename`` when that is no authority's file."""
    if ca:
        places.readable(ca)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise OSError(errno.EINVAL, "holds no certificate: write PEM", str(ca)) from error
