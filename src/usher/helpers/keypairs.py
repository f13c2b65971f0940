"""Makes RSA key pairs for as long as somebody takes them from the pipe, when nobody else has work.

Each is two lines in base64 on standard output: the private key in PEM, the public key in OpenSSH's
form. X2Go Client of Debian 12 reads ``BEGIN RSA PRIVATE KEY`` and no other private key.
"""

import os
import sys
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

BITS = 2048
NICENESS = 19


def make() -> tuple[bytes, bytes]:
    """A private key and its public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def main() -> int:
    """Write until nobody reads any more."""
    os.nice(NICENESS)
    try:
        while True:
            lines = [b64encode(part) + b"\n" for part in make()]
            sys.stdout.buffer.write(b"".join(lines))
            sys.stdout.buffer.flush()
    except ConnectionError:  # the pipe may be a socket
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
