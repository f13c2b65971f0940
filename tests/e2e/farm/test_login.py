"""x2goclient, through Usher, to sessions on real X2Go Servers, with one-time keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e.farm.alice import at, left_behind, session_of, why
from e2e.farm.farm import Farm
from e2e.farm.host import X2GOSERVER, Host
from e2e.machine import Account
from e2e.x2goclient import X2GOCLIENT

NEEDS = (*X2GOCLIENT, *X2GOSERVER)

pytestmark = pytest.mark.timeout(300)  # two clients, each with all its patience


def test_finds_a_suspended_session_again_at_another_desk_and_resumes_it(
    farm: Farm, account: Account
) -> None:
    with farm.broker() as broker:
        session = left_behind(farm, broker, account)
        with at("sofa", farm, broker, account) as client:
            client.see("suspended")
            client.push("Resume")
            assert session_of(client, farm, "sofa") == session


def test_resumes_a_session_on_a_server_that_has_been_drained_meanwhile(
    farm: Farm, account: Account
) -> None:
    with farm.broker() as broker:
        host, session = left_behind(farm, broker, account)
        assert not broker.usher("drain", host.name).returncode
        assert f"{host.name}: left out: it is drained" in why(broker)
        with at("sofa", farm, broker, account) as client:
            client.push("Resume")
            assert session_of(client, farm, "sofa") == (host, session)


@pytest.mark.parametrize("end", [Host.kill, Host.freeze])
def test_begins_anew_elsewhere_when_the_server_of_the_session_is_dead(
    farm: Farm, account: Account, end: Callable[[Host], None]
) -> None:
    with farm.broker() as broker:
        host, _ = left_behind(farm, broker, account)
        end(host)
        with at("sofa", farm, broker, account) as client:
            other, _ = session_of(client, farm, "sofa")
            assert other is not host


def test_takes_a_running_session_over_from_another_desk(farm: Farm, account: Account) -> None:
    with (
        farm.broker("broker-session-policy = takeover") as broker,
        at("desk", farm, broker, account) as first,
    ):
        host, session = session_of(first, farm, "desk")
        with at("sofa", farm, broker, account) as second:
            second.see("Resume")
            host.log.wait_for(f"usher-agent.*: suspend {session}$")
            second.push("Resume")
            assert session_of(second, farm, "sofa") == (host, session)
            first.see("Session:")
