"""Debian's own Python, with the libraries of the real clients."""

from __future__ import annotations

import os
import subprocess

import pytest

PYTHON = "/usr/bin/python3"


def need(module: str, package: str, untested: str) -> None:
    """Skip, with words, where the module is missing and nobody counts on it (``CI=true`` does)."""
    if os.environ.get("CI") != "true" and not _imports(module):
        pytest.skip(f"not tested: {untested} ({package} is not installed)")


def _imports(module: str) -> bool:
    try:
        return not subprocess.run(
            [PYTHON, "-c", f"import {module}"], capture_output=True, timeout=60, check=False
        ).returncode
    except FileNotFoundError:
        return False
