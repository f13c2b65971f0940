"""Whether files, folders and addresses are of this machine, found out without changing them.

Functions about files raise OSError with the path as ``filename`` and a remedy as ``strerror``.
"""

from __future__ import annotations

import errno
import os
import pwd
from ipaddress import ip_address
from pathlib import Path
from stat import S_IRWXO, S_ISCHR, S_ISREG

NOT_UTF8 = "is not UTF-8: save the file in that encoding"

SOCKET_BYTES = 107
"""The longest path of a Unix socket that Linux takes."""


def stamp(path: Path) -> tuple[int, ...]:
    """Is another one when the file is; empty when there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def readable(path: Path) -> None:
    """There is such a file, and it can be read to its end."""
    if not S_ISREG(path.stat().st_mode):
        raise _trouble(errno.EINVAL, path, "is no file")
    if not os.access(path, os.R_OK):
        raise _trouble(errno.EACCES, path, f"cannot be read by {_myself()}")


def text(path: Path) -> str:
    """What is in the file. Raises OSError, and ValueError with the line that is no text."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} {NOT_UTF8}") from error


def private(path: Path) -> None:
    """It can be read, and not by everybody."""
    readable(path)
    if path.stat().st_mode & S_IRWXO:
        raise _trouble(errno.EACCES, path, "is open to everybody: chmod o=")


def appendable(path: Path) -> None:
    """It is a file that can be written to, or can be made."""
    if not os.path.exists(path):
        return _writable(path, path.parent, "")
    if not (S_ISREG(mode := path.stat().st_mode) or S_ISCHR(mode)):
        raise _trouble(errno.EINVAL, path, "is no file")
    if not os.access(path, os.W_OK):
        raise _trouble(errno.EACCES, path, f"cannot be written by {_myself()}")
    return None


def writable(folder: Path, mode: str = "") -> None:
    """It is a folder where files can be made, or can be made itself.

    ``mode``: the rights it should have, for the remedy.
    """
    _writable(folder, folder, f" -m {mode}" if mode else "")


def listenable(path: Path) -> None:
    """It is a Unix socket that can be replaced, or can be made."""
    if (length := len(os.fsencode(path))) > SOCKET_BYTES:
        sentence = f"a socket's path has at most {SOCKET_BYTES} bytes, this one {length}"
        raise _trouble(errno.ENAMETOOLONG, path, sentence)
    if os.path.exists(path) and not path.is_socket():
        raise _trouble(errno.EEXIST, path, "is not a socket: choose another path")
    _writable(path, path.parent, "")


def _writable(path: Path, folder: Path, mode: str) -> None:
    """``path`` is what the configuration names, ``folder`` what it needs."""
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if not there.is_dir():
        raise _trouble(errno.ENOTDIR, path, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = f"as root: install -d -o {_myself()}{mode} {folder}"
        raise _trouble(errno.EACCES, path, f"{_myself()} cannot write in {there}: {remedy}")


def _trouble(number: int, path: Path, sentence: str) -> OSError:
    return OSError(number, sentence, str(path))


def _myself() -> str:
    """The account of this process."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def is_loopback(host: str) -> bool:
    """Does this host, as somebody wrote it, stay on this machine?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
