"""Debian's PyQt5 as the judge: it reads INI text with the very code that x2goclient does."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Self

from debian import PYTHON, need

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
        ini = b"[section]\nkey=" + notation.encode("latin-1") + b"\n"
        return self.sections(ini)["section"]["key"]


def judge() -> Iterator[Qt]:
    """The judge, for a fixture."""
    need("PyQt5.QtCore", "python3-pyqt5", "that x2goclient reads what we write")
    with Qt() as qt:
        yield qt
