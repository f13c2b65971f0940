"""What a broker knows of its servers, as ``usher hosts`` shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep


def await_all(folder: Path, count: int) -> None:
    """Wait until so many servers have answered."""
    end = monotonic() + 90
    while len(hosts(folder)) < count:
        if monotonic() > end:
            raise SystemExit("the farm was not seen")
        sleep(0.2)


def hosts(folder: Path) -> list[list[str]]:
    """The lines of ``usher hosts`` about servers that have answered, column by column."""
    words = [sys.executable, "-m", "usher.cli", "hosts", "-c", str(folder / "usher.toml")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rows = [re.split(r" {2,}", line) for line in said.splitlines()[1:]]
    return [row for row in rows if row[3] != "-"]
