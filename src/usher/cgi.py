"""``usher-cgi``: hand a form from a web server to the daemon's Unix socket, and its answer back.

Run anew for every request, so it imports next to nothing.
"""

import os
import sys

from usher.ssh import PATIENCE_SECONDS, SOCKET, ask

BODY_BYTES = 64 * 1024

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def main() -> int:
    """Answer the request that the environment and standard input describe (RFC 3875)."""
    status, content_type, body = _answer(os.environ)
    head = (
        f"Status: {status} {_REASONS.get(status, '')}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    sys.stdout.buffer.write(head.encode() + body)
    return 0


def _answer(environ: "os._Environ[str]") -> tuple[int, str, bytes]:
    if environ.get("REQUEST_METHOD") != "POST":
        return _say(405, "Post a form here.")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or len(length) > 9 or int(length) > BODY_BYTES:
        return _say(413, f"At most {BODY_BYTES} bytes.")
    form = sys.stdin.buffer.read(int(length))
    where = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    wire = "json" if "json" in where.split("/") else "plain"
    path = environ.get("USHER_SOCKET", SOCKET)
    try:
        words = f"cgi {wire} {environ.get('REMOTE_ADDR', '')}"
        return ask(path, words, form, PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        print(f"usher-cgi: {path}: {error}", file=sys.stderr)
        # x2goclient ends at any other status than 200; without a grant it asks for the login again.
        return _say(200 if wire == "plain" else 503, "The broker is not running. Try again later.")


def _say(status: int, sentence: str) -> tuple[int, str, bytes]:
    return status, "text/plain; charset=utf-8", f"{sentence}\n".encode()


if __name__ == "__main__":
    sys.exit(main())
