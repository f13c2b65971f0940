"""Debian's PyQt5 as the judge: it reads INI text with the very code that x2goclient does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

PYTHON = "/usr/bin/python3"

_READER = r"""
import base64, json, os, sys, tempfile
from PyQt5.QtCore import QSettings

folder = tempfile.mkdtemp()
for number, line in enumerate(sys.stdin):
    path = os.path.join(folder, f"{number}.ini")  # Qt caches a file by its name
    with open(path, "wb") as file:
        file.write(base64.b64decode(line))
    settings = QSettings(path, QSettings.IniFormat)
    found = {}
    for group in settings.childGroups():
        settings.beginGroup(group)
        # x2goclient asks for a string, and a list is none.
        values = {key: settings.value(key) for key in settings.allKeys()}
        found[group] = {key: v if isinstance(v, str) else "" for key, v in values.items()}
        settings.endGroup()
    del settings
    os.unlink(path)
    print(json.dumps(found), flush=True)
os.rmdir(folder)
"""


class Qt:
    """A running QSettings that reads one text after the other."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [PYTHON, "-c", _READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=10)

    def sections(self, ini: bytes) -> dict[str, dict[str, str]]:
        """Every section of an INI text, as x2goclient gets it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(base64.b64encode(ini) + b"\n")
        self._process.stdin.flush()
        found: dict[str, dict[str, str]] = json.loads(self._process.stdout.readline())
        return found

    def value(self, notation: str) -> str:
        """The text that x2goclient gets from ``key=notation``; Latin-1 is its only encoding."""
        return self.sections(b"[section]\nkey=" + notation.encode("latin-1") + b"\n")["section"][
            "key"
        ]


def judge() -> Iterator[Qt]:
    """The judge, for a fixture. Only where nobody counts on it, its absence is forgiven."""
    if os.environ.get("CI") != "true" and not _installed():
        pytest.skip("not tested: that Qt reads what we write (python3-pyqt5 is not installed)")
    with Qt() as qt:
        yield qt


def _installed() -> bool:
    if not Path(PYTHON).exists():
        return False
    return not subprocess.run(
        [PYTHON, "-c", "import PyQt5.QtCore"], capture_output=True, check=False
    ).returncode
