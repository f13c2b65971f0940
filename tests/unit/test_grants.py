"""What a one-time key may do behind an SSH proxy, and at the proxy itself."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from fakes import FakeAgent

from usher.errors import Unavailable
from usher.farm import Farm
from usher.grants import grants
from usher.keys import Keys, Pair, Pool, ServerLost
from usher.model import (
    Grant,
    Option,
    Profile,
    Resumable,
    Selection,
    Server,
    Session,
    State,
    User,
    client_at,
)
from usher.settings import Settings

ONE, TWO = Server("ts1", "10.0.0.1"), Server("ts2", "2001:db8::2", 2222)
PROXY = Server("198.51.100.1", "198.51.100.1", 2200)
ALICE, HERE = User("alice"), client_at("203.0.113.7")
BEHIND: dict[str, Option] = {
    "usesshproxy": True,
    "sshproxyhost": "198.51.100.1",
    "sshproxyport": 2200,
    "sshproxysamekey": True,
    "sshproxysameuser": True,
}
OWN = Resumable(
    Session("alice-50-1795414336_stDXFCE_dp24", "alice", "ts2", State.SUSPENDED, 50), TWO
)
INSIDE = Grant("alice", "ssh-rsa A", 60, client_at(PROXY.address).address)
OUTSIDE = Grant("alice", "ssh-rsa A", 60, HERE.address, "10.0.0.1:22,ts1:22", pty=True)


def profile(options: dict[str, Option] = BEHIND, **settings: Any) -> Profile:
    said = Settings(session_autologin=True, **settings)
    return Profile("desktop", (ONE, TWO), options, settings=said)


def handing_out(**misfortune: set[str]) -> tuple[FakeAgent, Keys]:
    agent, pool = FakeAgent(), Pool(1)
    vars(agent).update(misfortune)
    pool._pairs.append(Pair("ssh-rsa A", "PRIVATE"))
    return agent, Keys(agent, Farm(), pool)


async def test_the_proxy_lets_the_client_in_and_the_server_the_proxy():
    agent, keys = handing_out()
    selection = await keys.hand_out(Selection(ONE), profile(), ALICE, HERE)
    assert selection.private_key
    assert agent.authorized == {("ts1", INSIDE), (PROXY.name, OUTSIDE)}


@pytest.mark.parametrize("misfortune", ["down", "unwilling", "slow", "broken"])
async def test_where_the_proxy_lets_no_key_in_there_is_none_and_the_log_says_so(
    misfortune: str, caplog: pytest.LogCaptureFixture
):
    _, keys = handing_out(**{misfortune: {PROXY.name}})
    selection = Selection(ONE, sessions=(OWN,))
    assert await keys.hand_out(selection, profile(), ALICE, HERE, patience=0.05) == selection
    assert "no one-time key for alice: not at the proxy 198.51.100.1" in caplog.text


async def test_a_server_that_is_lost_behind_a_proxy_is_lost():
    _, keys = handing_out(down={"ts1"})
    with pytest.raises(ServerLost):
        await keys.hand_out(Selection(ONE), profile(), ALICE, HERE)


async def test_a_server_that_refuses_behind_a_proxy_gets_a_client_without_a_key():
    _, keys = handing_out(unwilling={"ts1", "ts2"})
    selection = Selection(ONE, sessions=(OWN,))
    assert await keys.hand_out(selection, profile(), ALICE, HERE) == selection


async def made(
    options: dict[str, Option], *sessions: Resumable, own: bool = False, **settings: Any
):
    selection = Selection(ONE, sessions=sessions)
    return await grants(profile(options, **settings), selection, ALICE, HERE, "ssh-rsa A", own=own)


async def test_through_the_proxy_every_server_of_the_reply_can_be_reached():
    outside = (await made(BEHIND, OWN)).outside
    assert outside
    assert outside.permit_open == "10.0.0.1:22,ts1:22,[2001:db8::2]:2222,ts2:2222"
    assert outside.seconds == 300


async def test_from_anywhere_means_at_the_proxy_too():
    found = await made(BEHIND, key_from="off")
    assert found.outside
    assert (found.inside.client, found.outside.client) == (None, None)


async def test_both_files_are_those_of_the_profile():
    found = await made(BEHIND, authorized_keys="/a/%u", sshproxy_authorized_keys="/b/%u")
    assert found.outside
    assert (found.inside.file, found.outside.file) == ("/a/%u", "/b/%u")


@pytest.mark.parametrize(
    "options",
    [{"usesshproxy": False}, {"sshproxyhost": ""}],
    ids=["not used", "no name"],
)
async def test_without_a_proxy_there_is_one_grant(options: dict[str, Option]):
    found = await made(BEHIND | options)
    assert (found.inside.client, found.proxy, found.outside) == (HERE.address, None, None)


@pytest.mark.parametrize("options", [{"sshproxysamekey": False}, {"sshproxytype": "HTTP"}])
async def test_a_client_that_passes_the_proxy_by_itself_has_no_key_there(
    options: dict[str, Option],
):
    found = await made(BEHIND | options)
    assert (found.inside, found.outside) == (INSIDE, None)


async def test_a_clients_own_key_passes_the_proxy_in_any_case():
    found = await made(BEHIND | {"sshproxysamekey": False}, own=True)
    assert found.outside == OUTSIDE


async def test_a_proxy_whose_name_is_marked_is_asked_for_no_terminal():
    found = await made(BEHIND | {"sshproxyhost": "!198.51.100.1"})
    assert found.proxy == PROXY
    assert found.outside and not found.outside.pty


@pytest.mark.parametrize("name", ["", "alice", "BROKER_USER"])
async def test_at_the_proxy_they_are_who_they_are(name: str):
    found = await made(BEHIND | {"sshproxysameuser": False, "sshproxyuser": name})
    assert found.outside == OUTSIDE


async def test_no_key_is_for_another_account_at_the_proxy():
    with pytest.raises(Unavailable) as refused:
        await made(BEHIND | {"sshproxysameuser": False, "sshproxyuser": "jump"})
    assert "at the proxy 198.51.100.1 they would be jump" in refused.value.detail


@pytest.mark.parametrize("name", ["10.0.0.1", "ts1", "ts2"])
async def test_a_proxy_that_is_a_server_of_the_reply_itself_means_no_key(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    async def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.1", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    with pytest.raises(Unavailable) as refused:
        await made(BEHIND | {"sshproxyhost": name}, OWN)
    assert f"the proxy {name} is one of the servers" in refused.value.detail


async def test_a_proxy_that_nobody_knows_means_no_key(monkeypatch, caplog):
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    _, keys = handing_out()
    wanted = profile(BEHIND | {"sshproxyhost": "proxy"})
    assert await keys.hand_out(Selection(ONE), wanted, ALICE, HERE) == Selection(ONE)
    assert "no one-time key for alice: no such name" in caplog.text


async def test_a_key_that_would_not_help_at_the_proxy_stays_in_the_pool():
    _, keys = handing_out()
    options = BEHIND | {"sshproxysameuser": False, "sshproxyuser": "bob"}
    selection = await keys.hand_out(Selection(ONE), profile(options), ALICE, HERE)
    assert (selection.private_key, len(keys.pool)) == ("", 1)
