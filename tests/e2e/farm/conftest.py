"""Every test has servers of its own: they are up in less than a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from e2e.farm import farm as made
from e2e.farm.farm import Farm
from e2e.farm.host import key_pair


@pytest.fixture(scope="session")
def host_keys(folder: Path) -> Mapping[str, Path]:
    """The servers of all tests are the same ones to the clients, who remember them."""
    return {name: key_pair(folder / f"{name}_host_key") for name in ("h1", "h2")}


@pytest.fixture
def farm(tmp_path: Path, host_keys: Mapping[str, Path]) -> Iterator[Farm]:
    """Two servers that are up, and know the broker."""
    with made.running(tmp_path, host_keys) as farm:
        yield farm
