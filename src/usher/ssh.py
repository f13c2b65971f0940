#!/usr/bin/python3 -IS
"""``usher-ssh``: hand what a client asks by SSH to the daemon's Unix socket, and its answer back.

What clients say is read by a grammar, also by the built-in server: no shell has a part in it.

This file is installed as it is and run anew for every request, without the rest of the package.
Hence modules of C alone: ``import socket`` takes longer than all that is done here.
"""

from __future__ import annotations

import posix
import sys
import time
from _socket import AF_UNIX, SOCK_STREAM, socket

SOCKET = "/run/usher/usher.sock"
PATIENCE_SECONDS = 5.0
AGAIN_SECONDS = 0.05
ANSWER_SECONDS = 65.0
LINE_CHARACTERS = 64 * 1024

OPTIONS = frozenset((
    *("task", "user", "login", "sid", "profile-id", "authid", "auth-cookie", "next-authid"),
    *("newpass", "event", "server", "client", "cmd", "display", "start", "elapsed"),
    *("version", "os"),
))  # fmt: skip
NAMES = {"auth-cookie": "authid", "next-authid": "authid"}
"""Options that the field of a form has another name for."""

PROBE = 'echo "LOGIN OK"'
_WRAPPER, _WRAPPED_BEFORE, _WRAPPED_AFTER = "bash -l -c '", "X2GODATABEGIN:", "X2GODATAEND:"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


class NotACommand(ValueError):
    """The text is no command of an X2Go client; the message is for who wrote it."""


class Command:
    """What a client wants: a form to be answered, between two texts to be written as they are.

    ``form`` is what clients post by HTTP, or empty when the texts are all the answer.
    """

    __slots__ = ("after", "before", "form")

    def __init__(self, form: bytes, before: str = "", after: str = "") -> None:
        self.form = form
        self.before = before
        self.after = after


def parse(line: str) -> Command:
    """What a command line means that an SSH client sent. Raises NotACommand, and nothing else."""
    if len(line) > LINE_CHARACTERS:
        raise NotACommand("The command is too long.")
    line = line.strip()
    if line == PROBE:
        return Command(b"", before="LOGIN OK\n")
    if line.startswith(_WRAPPER):
        return _unwrap(line)
    return Command(_form(_quoted_fields(line)))


def command(words: list[str]) -> Command:
    """What the words mean that a shell has made of a command line. Raises NotACommand."""
    return Command(_form(_fields(words, quotes="")))


def _unwrap(line: str) -> Command:
    """The command between the marks that the client tells its output by."""
    head, _, body = line.partition(f'echo "{_WRAPPED_BEFORE}')
    mark, _, body = body.partition('";')
    tail = f'; echo "{_WRAPPED_AFTER}{mark}";\''
    if head != _WRAPPER or not _is_mark(mark) or not body.endswith(tail):
        raise NotACommand("This is not how X2Go Client wraps a command.")
    body = body[: -len(tail)].lstrip()
    while body.startswith("export "):
        body = body.partition(";")[2].lstrip()
    before, after = f"{_WRAPPED_BEFORE}{mark}\n", f"{_WRAPPED_AFTER}{mark}\n"
    return Command(_form(_quoted_fields(body)), before, after)


def _is_mark(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").isalnum()


def _quoted_fields(line: str) -> list[tuple[str, str]]:
    """The fields of a command whose quotes nobody has read yet.

    Clients escape nothing: a value ends where the next option begins, and what is in quotes ends
    with a quote before a blank. Without quotes it may hold blanks, as many as there are.
    """
    path, _, rest = line.partition(" ")
    if path.startswith("-"):
        raise NotACommand("A command begins with its path.")
    fields = _fields(rest.split(" "), quotes="'\"")
    return [(name, _unquoted(value, name)) for name, value in fields]


def _fields(words: list[str], quotes: str) -> list[tuple[str, str]]:
    """The options among these words, each with all the words up to the next one."""
    found: list[tuple[str, list[str]]] = []
    name = waits_for = ""
    for word in words:
        if not waits_for and _is_option(word, name):
            name, equals, word = word[2:].partition("=")
            found.append((name, []))
            if not equals:
                continue
        if not found:
            if word:
                raise NotACommand(f"{word[:40]!r} is no option.")
            continue
        value = found[-1][1]
        waits_for = _quote(waits_for, word, "" if any(value) else quotes)
        value.append(word)
    if not found:
        raise NotACommand("Only X2Go clients are served here: there is no option such as --task.")
    return [(NAMES.get(name, name), " ".join(value)) for name, value in found]


def _is_option(word: str, after: str) -> bool:
    """Unknown ones may come with newer clients; in a password they would rather be a part of it."""
    name = word[2:].partition("=")[0]
    known = name in OPTIONS
    return word.startswith("--") and (known or (after != "newpass" and name[:1].isalpha()))


def _quote(waits_for: str, word: str, quotes: str) -> str:
    """The quote that is open after this word; ``quotes`` are those that it may begin with."""
    if not waits_for and word and word[0] in quotes:
        waits_for, word = word[0], word[1:]
    return "" if word.endswith(waits_for) else waits_for


def _unquoted(text: str, name: str) -> str:
    text = text if name == "newpass" else text.strip(" ")
    if text[:1] not in ("'", '"'):
        return text
    if len(text) < 2 or text[-1] != text[0]:
        raise NotACommand(f"The quotation after --{name} has no end.")
    return text[1:-1]


def _form(fields: list[tuple[str, str]]) -> bytes:
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in fields).encode()


def _escape(text: str) -> str:
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise NotACommand("The command is no text.") from None
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def main() -> int:
    """Print the answer to a client's command; return 0 when there is one.

    Without one, nothing but a sentence on standard error, which the client shows.
    """
    environ = {name: _text(value) for name, value in posix.environ.items()}
    path = environ.get(b"USHER_SOCKET", SOCKET)
    try:
        said = _said(environ)
        status, answer = 200, b""
        if said.form:
            address = environ.get(b"SSH_CONNECTION", "").partition(" ")[0]
            status, _, answer = ask(path, f"ssh {address}", said.form, PATIENCE_SECONDS)
        if status == 200:
            return _write(1, said.before.encode() + answer + said.after.encode())
        _write(2, answer)
    except NotACommand as error:
        _write(2, f"{error}\n".encode())
    except (OSError, ValueError) as error:
        sentence = f"The broker does not answer ({path}: {error}); please try again later.\n"
        _write(2, sentence.encode("utf-8", "backslashreplace"))
    return 1


def _said(environ: dict[bytes, str]) -> Command:
    """The words given; behind ForceCommand, what the client has sent instead."""
    words, line = sys.argv[1:], environ.get(b"SSH_ORIGINAL_COMMAND")
    if line is not None and not words:
        return parse(line)
    encoding = sys.getfilesystemencoding()  # clients write UTF-8, whatever is usual here
    return command([_text(word.encode(encoding, "surrogateescape")) for word in words])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _write(descriptor: int, text: bytes) -> int:
    while text:
        text = text[posix.write(descriptor, text) :]
    return 0


def ask(
    path: str, words: str, body: bytes, patience: float = 0, seconds: float = ANSWER_SECONDS
) -> tuple[int, str, bytes]:
    """Send a message to the daemon; return status, content type and body of its answer.

    A daemon that is just being restarted is waited for, ``patience`` seconds at most, and its
    answer for so many ``seconds``. Raises OSError and ValueError.
    """
    message = f"{words} {len(body)}\n".encode() + body
    until = time.monotonic() + patience
    while True:
        connection = socket(AF_UNIX, SOCK_STREAM)
        try:
            connection.settimeout(seconds)
            return _exchange(connection, path, message)
        except (FileNotFoundError, ConnectionError, BlockingIOError):
            if time.monotonic() > until:
                raise
        finally:
            connection.close()
        time.sleep(AGAIN_SECONDS)  # noqa: TID251 - one process, one client, nobody else waits


def _exchange(connection: socket, path: str, message: bytes) -> tuple[int, str, bytes]:
    connection.connect(path)
    connection.sendall(message)
    said = b"".join(iter(lambda: connection.recv(65536), b""))
    if not said:
        raise ConnectionResetError("the daemon hung up")
    head, _, answer = said.partition(b"\n")
    status, length, content_type = head.decode().split(" ", 2)
    if len(answer) != int(length):
        raise OSError("the daemon broke off its answer")
    return int(status), content_type, answer


if __name__ == "__main__":
    sys.exit(main())
