"""Asks PAM for the broker: a process of its own, as root, with one job and one Unix socket.

A connection carries one question and one answer. Each is a frame: four bytes of length
(big-endian), then three texts in UTF-8 with a NUL between them.

question  user, password, client address
answer    ``granted``, microseconds to wait, the proved user name
          ``denied`` or ``unknown`` (PAM could not tell), microseconds to wait, why (for the log)

The wait is the delay that PAM asks for after a wrong password. It is the asker's to keep, so that
no process here sleeps while others want to know something.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import grp
import os
import signal
import socket
import stat
import struct
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

LONGEST_FRAME = 128 * 1024  # more than any request to the broker may hold
LONGEST_TEXT = 512  # PAM_MAX_RESP_SIZE: what modules are made for
READ_SECONDS = 5
QUESTIONS_PER_WORKER = 1000  # modules leak; JupyterHub's PAM gave up after a day

_HEAD = struct.Struct(">I")
_NEWS = {signal.SIGCHLD, signal.SIGTERM}

_USER, _RHOST, _FAIL_DELAY = 2, 4, 10  # items of a PAM transaction
_ECHO_OFF, _ECHO_ON = 1, 2  # what a module wants to be told
_NO_EMPTY_PASSWORDS = 1  # PAM_DISALLOW_NULL_AUTHTOK
# Permission denied, wrong password, insufficient rights, unknown user, too many tries,
# password due, account expired, credentials expired, password expired.
_DENIED = {6, 7, 8, 10, 11, 12, 13, 16, 27}


class Question(NamedTuple):
    """Who says so, what proves it, and from where."""

    user: str
    password: str
    address: str


class Answer(NamedTuple):
    """``granted``, ``denied`` or ``unknown``; microseconds to wait; the proved name, or why."""

    verdict: str
    wait: int
    text: str


class Refused(Exception):
    """Not a question for PAM."""


class _Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class _Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("unused", ctypes.c_int)]


_Messages, _Responses = (ctypes.POINTER(ctypes.POINTER(of)) for of in (_Message, _Response))
_Converse = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, _Messages, _Responses, ctypes.c_void_p)
_Delay = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class _Conversation(ctypes.Structure):
    _fields_ = [("converse", _Converse), ("data", ctypes.c_void_p)]


class Pam:
    """One PAM service. ``folder`` holds its file if it is not where PAM looks by itself."""

    def __init__(self, service: str, folder: str = "") -> None:
        self._pam = ctypes.CDLL("libpam.so.0")
        self._pam.pam_strerror.restype = ctypes.c_char_p
        self._libc = ctypes.CDLL(None)
        self._libc.calloc.restype = self._libc.strdup.restype = ctypes.c_void_p
        self._service = service.encode()
        self._folder = folder.encode()

    def judge(self, question: Question) -> Answer:
        """Authenticate, then ask whether the account may be used now."""
        said: list[str] = []
        waits = [0]
        converse = _Converse(self._talk(question, said))
        # With a function of ours in its place, libpam does not sleep itself.
        delay = _Delay(lambda status, wait, _: waits.append(wait if status else 0))
        with self._transaction(question, converse) as handle:
            self._pam.pam_set_item(handle, _RHOST, question.address.encode())
            self._pam.pam_set_item(handle, _FAIL_DELAY, delay)
            status = self._pam.pam_authenticate(handle, _NO_EMPTY_PASSWORDS)
            status = status or self._pam.pam_acct_mgmt(handle, _NO_EMPTY_PASSWORDS)
            if status == 0:
                return self._granted(handle)
            said.append(self._pam.pam_strerror(handle, status).decode(errors="replace"))
            return Answer("denied" if status in _DENIED else "unknown", max(waits), ": ".join(said))

    @contextmanager
    def _transaction(self, question: Question, converse: object) -> Iterator[ctypes.c_void_p]:
        handle = ctypes.c_void_p()
        conversation = _Conversation(converse, None)
        common = (self._service, question.user.encode(), ctypes.byref(conversation))
        start = self._pam.pam_start_confdir if self._folder else self._pam.pam_start
        folder = (self._folder,) if self._folder else ()
        if status := start(*common, *folder, ctypes.byref(handle)):
            raise OSError(f"pam_start: error {status}")
        try:
            yield handle
        finally:
            self._pam.pam_end(handle, 0)

    def _granted(self, handle: ctypes.c_void_p) -> Answer:
        """Modules may have changed the name: what they made of it is what was proved."""
        name = ctypes.c_char_p()
        self._pam.pam_get_item(handle, _USER, ctypes.byref(name))
        try:
            return Answer("granted", 0, (name.value or b"").decode())
        except UnicodeDecodeError:
            return Answer("unknown", 0, "the proved name is not UTF-8")

    def _talk(self, question: Question, said: list[str]) -> Callable[..., int]:
        """The answers to what modules ask; libpam frees them, so they come from its allocator."""
        known = {_ECHO_OFF: question.password.encode(), _ECHO_ON: question.user.encode()}

        def converse(count: int, messages: Any, responses: Any, _: object) -> int:
            if not (memory := self._libc.calloc(count, ctypes.sizeof(_Response))):
                return 5  # PAM_BUF_ERR
            responses[0] = ctypes.cast(memory, ctypes.POINTER(_Response))
            for number in range(count):
                message = messages[number].contents
                if message.style in known:
                    responses[0][number].text = self._libc.strdup(known[message.style])
                else:
                    said.append((message.text or b"").decode(errors="replace"))
            return 0

        return converse


def read(connection: socket.socket) -> Question:
    """Raises Refused for what must not reach PAM, OSError when no question comes."""
    (length,) = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if length > LONGEST_FRAME:
        raise OSError(f"a frame of {length} bytes")
    try:
        question = Question(*_exactly(connection, length).decode().split("\0"))
    except (TypeError, UnicodeDecodeError) as error:
        raise Refused("not three texts in UTF-8") from error
    if any(len(text.encode()) > LONGEST_TEXT for text in question):
        raise Refused(f"longer than {LONGEST_TEXT} bytes")
    if any(unicodedata.category(letter) == "Cc" for text in question for letter in text):
        raise Refused("control characters")
    if not question.user or not question.password:
        raise Refused("empty user or password")
    return question


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := connection.recv(size - len(data))):
            raise ConnectionResetError("the asker left")
        data += more
    return data


def reply(connection: socket.socket, pam: Pam) -> None:
    """Answer the question of this connection. Raises OSError when the asker left."""
    connection.settimeout(READ_SECONDS)
    try:
        answer = pam.judge(read(connection))
    except Refused as refusal:
        answer = Answer("denied", 0, f"PAM was not asked: {refusal}")
    body = "\0".join(map(str, answer)).encode()
    connection.sendall(_HEAD.pack(len(body)) + body)


def work(listener: socket.socket, pam: Pam, seconds: int) -> None:
    """Answer questions one after the other, until it is time for a fresh process."""
    for _ in range(QUESTIONS_PER_WORKER):
        connection, _ = listener.accept()
        signal.alarm(seconds)  # nobody catches it: a module that hangs dies with its process
        with connection:
            try:
                reply(connection, pam)
            except OSError as error:
                _log(f"a question was dropped: {error}")
        signal.alarm(0)


def supervise(count: int, job: Callable[[], None]) -> None:
    """Keep so many processes at the job, until SIGTERM: who ends, dies or hangs is replaced."""
    # Blocked and waited for, so that neither can come in the middle of a fork and be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _NEWS)
    workers = {_fork(job) for _ in range(count)}
    while signal.sigwait(_NEWS) == signal.SIGCHLD:
        for pid in tuple(workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                workers ^= {pid, _fork(job)}
            if status:
                _log(f"worker {pid} ended with {os.waitstatus_to_exitcode(status)}")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(job: Callable[[], None]) -> int:
    if pid := os.fork():
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NEWS)
        job()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a process of its own: told, and over
        traceback.print_exc()
    finally:
        os._exit(1)


def make_way(path: str) -> None:
    """Remove what a helper that died has left, and nothing else. Raises OSError."""
    if os.path.lexists(path):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(f"{path} is not a socket: choose another --socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)  # one that is busy would keep us waiting
            if probe.connect_ex(path) != errno.ECONNREFUSED:
                raise OSError(f"another helper listens at {path}: choose another --socket")
        os.unlink(path)


def listen(path: str, group: str) -> socket.socket:
    """The socket, which root and the group may use. Raises OSError, KeyError without the group.

    Group and mode are right before it has a name: no others may connect, no chown can be misled.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o755, exist_ok=True)
    make_way(path)
    listener = socket.socket(socket.AF_UNIX)
    own, mask = os.getegid(), os.umask(0o117)
    os.setegid(grp.getgrnam(group).gr_gid)
    try:
        listener.bind(path)
    finally:
        os.setegid(own)
        os.umask(mask)
    listener.listen(1024)
    return listener


def _log(text: str) -> None:
    print("usher-pam:", text, file=sys.stderr, flush=True)


def main() -> None:
    """Run until SIGTERM; say ``ready`` on standard error when questions are answered."""
    parser = argparse.ArgumentParser(prog="usher-pam", description="Asks PAM for usher.")
    parser.add_argument("--socket", default="/run/usher/pam.sock")
    parser.add_argument("--service", default="usher", help="the file in /etc/pam.d")
    parser.add_argument("--group", default="usher", help="who may ask, beside root")
    parser.add_argument("--workers", type=int, default=4, help="processes that ask PAM")
    parser.add_argument("--timeout", type=int, default=30, help="seconds until a worker is hanging")
    parser.add_argument("--confdir", default="", help="folder of the service file, for trying out")
    options = parser.parse_args()
    service = os.path.join(options.confdir or "/etc/pam.d", options.service)
    for wrong, said in (
        (os.geteuid() and not options.confdir, "only root can ask PAM about others"),
        (options.workers < 1, "--workers: at least one has to ask PAM"),
        (not os.path.exists(service), f"--service: there is no {service}"),
    ):
        if wrong:
            parser.error(said)
    try:
        pam, listener = Pam(options.service, options.confdir), listen(options.socket, options.group)
    except OSError as error:
        parser.error(str(error))
    except KeyError:
        parser.error(f"--group: there is no group {options.group!r}")
    _log(f"ready on {options.socket}")
    supervise(options.workers, lambda: work(listener, pam, options.timeout))


if __name__ == "__main__":
    main()
