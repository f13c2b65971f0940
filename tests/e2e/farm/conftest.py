"""Every test has servers of its own: they are up in less than a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.farm import farm as made
from e2e.farm.farm import Farm


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Two servers that are up, and know the broker."""
    with made.running(tmp_path) as farm:
        yield farm
