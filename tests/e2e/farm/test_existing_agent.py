"""The agent that existing farms have, on real X2Go Servers: alone, and beside ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from e2e.farm import farm as made
from e2e.farm.alice import at, left_behind, session_of
from e2e.farm.host import X2GOSERVER
from e2e.machine import Account
from e2e.x2goclient import X2GOCLIENT

NEEDS = ("x2gobroker-agent", *X2GOCLIENT, *X2GOSERVER)

pytestmark = pytest.mark.timeout(300)  # two clients, each with all its patience


@pytest.mark.parametrize("existing", [("h1", "h2"), ("h2",)], ids=["alone", "beside-ours"])
def test_finds_a_suspended_session_again_which_is_resumed_with_a_one_time_key(
    tmp_path: Path, host_keys: Mapping[str, Path], account: Account, existing: Collection[str]
) -> None:
    with made.running(tmp_path, host_keys, existing) as farm, farm.broker() as broker:
        assert not broker.usher("drain", "h1").returncode
        host, session = left_behind(farm, broker, account)
        assert host is farm.h2
        assert not broker.usher("undrain", "h1").returncode
        with at("sofa", farm, broker, account) as client:
            client.push("Resume")
            assert session_of(client, farm, "sofa") == (host, session)
        rows = broker.usher("hosts").stdout.splitlines()
        assert {row.split()[0] for row in rows if "x2gobroker-agent" in row} == {*existing}
