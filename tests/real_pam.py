"""The real helper and the real libpam, with PAM services that the tests write themselves."""

from __future__ import annotations

import asyncio
import ctypes
import grp
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import usher

HELPER = Path(usher.__file__).parent / "helpers" / "pam.py"
DEADLINE = 20

JUDGED = """\
auth [success=1 default=ignore] pam_exec.so quiet expose_authtok {judge}
auth requisite pam_deny.so
auth required pam_permit.so
account required pam_permit.so
"""
"""A service in the shape of Debian's common-auth; a script knows the passwords."""

SLOW_TO_REFUSE = "auth optional pam_faildelay.so delay=2000000\n"
"""PAM makes whoever was wrong wait for about two seconds."""

_JUDGE = """\
#!/bin/sh
# The users are files, their passwords what is in them. Some have other tricks.
printf '%s %s %s\\n' "$PAM_SERVICE" "$PAM_RHOST" "$PAM_USER" >> {folder}/asked
case "$PAM_USER" in
    crash) kill -KILL $PPID ;;
    hang) exec cat {folder}/never ;;
esac
[ -f "{folder}/users/$PAM_USER" ] && [ "$(tr -d '\\0')" = "$(cat "{folder}/users/$PAM_USER")" ]
"""


def needed() -> None:
    """Skip, and say what is not tested, where PAM cannot be given services of our own."""
    modules = [*Path("/").glob("lib*/**/security/pam_exec.so")]
    try:
        found = bool(modules) and hasattr(ctypes.CDLL("libpam.so.0"), "pam_start_confdir")
    except OSError:
        found = False
    _skip_unless(found, "PAM was not tested: it needs libpam >= 1.4 and pam_exec (Debian, Ubuntu)")


def root_on_debian_needed(what: str) -> None:
    """Skip, and say what is not tested, where accounts cannot be made or are not Debian's."""
    found = os.geteuid() == 0 and Path("/etc/pam.d/common-auth").exists()
    _skip_unless(found, f"{what} was not tested: it needs root, on Debian or Ubuntu")


def _skip_unless(found: bool, words: str) -> None:
    if not found and not os.environ.get("CI"):
        pytest.skip(words)


@dataclass(frozen=True)
class Helper:
    """The running helper."""

    folder: Path
    socket: Path
    process: asyncio.subprocess.Process

    async def says(self, text: str) -> None:
        """Wait until the helper says so on standard error."""
        assert self.process.stderr
        async with asyncio.timeout(DEADLINE):
            while line := (await self.process.stderr.readline()).decode():
                if text in line:
                    return
        raise AssertionError(f"the helper ended without saying {text!r}")

    def asked(self) -> list[str]:
        """What PAM was asked: service, client address and user, a line each."""
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []

    def workers(self) -> set[int]:
        """The processes that ask PAM, now."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, task.read_text().split()))


@asynccontextmanager
async def running(
    folder: Path, service: str, users: Mapping[str, str] | None = None, **options: object
) -> AsyncIterator[Helper]:
    """The helper with this PAM service; ``options`` are its own, like ``workers``."""
    needed()
    (folder / "users").mkdir()
    for name, password in (users or {}).items():
        (folder / "users" / name).write_text(password, encoding="utf-8")
    os.mkfifo(folder / "never")
    judge = folder / "judge"
    judge.write_text(_JUDGE.format(folder=folder))
    judge.chmod(0o755)
    (folder / "pam.d").mkdir()
    (folder / "pam.d" / "usher").write_text(service.format(judge=judge))
    given: dict[str, object] = {"group": grp.getgrgid(os.getegid()).gr_name, **options}
    given |= {"socket": folder / "pam.sock", "confdir": folder / "pam.d"}
    command = [sys.executable, "-I", "-S", str(HELPER)]
    command += [f"--{name}={value}" for name, value in given.items()]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    helper = Helper(folder, folder / "pam.sock", process)
    try:
        await helper.says("ready on")
        yield helper
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        # A script that hangs reads this until somebody opens it to write.
        os.close(os.open(folder / "never", os.O_RDWR | os.O_NONBLOCK))
        await process.communicate()
