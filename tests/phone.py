"""An authenticator app for the tests, and the administrator who hands out the secret."""

from __future__ import annotations

import re
import time
from base64 import b32decode

from daemon import Daemon

from usher.enrolment import STEP_SECONDS, code_of

STATIC = {"type": "static", "users": {"alice": "wonder", "bob": "builder"}}
TOTP = {"type": "totp", "inner": STATIC}


class Phone:
    """An authenticator app, and the paper with the recovery codes."""

    def __init__(self, shown: str) -> None:
        found = re.search(r"^  ([A-Z2-7]{32})$", shown, re.MULTILINE)
        assert found, shown
        self._secret = b32decode(found[1])
        self.recovery = re.findall(r"^  ([a-z2-9]{5}-[a-z2-9]{5})$", shown, re.MULTILINE)

    def code(self) -> str:
        """What it shows now."""
        return code_of(self._secret, int(time.time()) // STEP_SECONDS)


def enroll(daemon: Daemon, username: str = "alice") -> Phone:
    """Do what the administrator does, also for somebody who has lost the phone."""
    daemon.usher("totp", "remove", username)
    ended = daemon.usher("totp", "enroll", username)
    assert ended.returncode == 0, ended.stderr
    return Phone(ended.stdout)
