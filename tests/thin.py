"""``usher-ssh`` as pip installs it, and what it says."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from daemon import DEADLINE_SECONDS

import usher.ssh


@dataclass(frozen=True)
class Said:
    """What the command wrote, and how it ended."""

    out: str
    err: str
    status: int

    def refused(self) -> str:
        """The one sentence that there was, and nothing else."""
        assert (self.out, self.status) == ("", 1)
        assert self.err.count("\n") == 1 and self.err.endswith("\n")
        return self.err


@dataclass(frozen=True)
class Command:
    """The command, installed where every account can run it, and the daemon it asks."""

    path: Path
    socket: Path

    def run(self, *words: str | bytes, account: str | int = "", **environ: str) -> Said:
        """Run it as an SSH server would."""
        said = subprocess.run(
            [self.path, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"USHER_SOCKET": str(self.socket), **environ},
            timeout=DEADLINE_SECONDS,
            user=account or None,
        )
        return Said(said.stdout.decode(), said.stderr.decode(), said.returncode)


def installed(folder: Path, socket_path: Path) -> Command:
    """The file as pip installs it, under the name that the existing broker has."""
    path = folder / "x2gobroker"
    shutil.copy(usher.ssh.__file__, path)
    return Command(path, socket_path)
