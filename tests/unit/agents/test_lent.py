"""Keys that somebody has to take away again, whatever happens meanwhile."""

from __future__ import annotations

import logging

import pytest
from fakes import FakeAgent, FakeClock, FakeStore

from usher.agents.lent import AGAIN_SECONDS, FORGET_SECONDS, KIND, Lent
from usher.errors import Unavailable
from usher.model import Grant, Server

ONE, TWO = Server("ts1", "192.0.2.1"), Server("ts2", "192.0.2.2", 2222)
GRANT = Grant("alice", "ssh-rsa AAAA", 60, file="/etc/keys/%u")


class Desk:
    """Keys lent on two servers."""

    def __init__(self) -> None:
        self.agent, self.store, self.clock = FakeAgent(), FakeStore(), FakeClock()
        self.gone: list[tuple[str, Grant]] = []
        self.lent = self.another()

    def another(self) -> Lent:
        return Lent(self.store, self.withdraw, self.clock)

    async def withdraw(self, server: Server, grant: Grant) -> None:
        await self.agent.withdraw(server, grant)
        self.gone.append((server.name, grant))

    async def later(self, seconds: float, lent: Lent | None = None) -> list[str]:
        """Which servers have lost a key when so much time has passed."""
        self.clock.now += seconds
        self.gone.clear()
        await (lent or self.lent).take_back()
        return [name for name, _ in self.gone]


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_key_goes_when_its_time_is_over_and_not_before(desk: Desk):
    await desk.lent.note(ONE, GRANT)
    assert await desk.later(59) == []
    assert await desk.later(1) == ["ts1"]
    ((_, grant),) = desk.gone
    assert (grant.username, grant.key, grant.file) == ("alice", "ssh-rsa AAAA", "/etc/keys/%u")
    assert await desk.later(60) == []
    assert await desk.store.kept(KIND) == {}


async def test_a_key_that_is_lent_again_stays_until_the_last_of_its_time(desk: Desk):
    await desk.lent.note(ONE, GRANT)
    desk.clock.now += 50
    await desk.lent.note(ONE, GRANT)
    await desk.lent.note(TWO, GRANT)
    assert await desk.later(10) == []
    assert len(await desk.store.kept(KIND)) == 2
    assert sorted(await desk.later(50)) == ["ts1", "ts2"]
    assert await desk.store.kept(KIND) == {}


async def test_who_begins_again_goes_on_from_there(desk: Desk):
    await desk.lent.note(TWO, GRANT)
    assert await desk.later(60, desk.another()) == ["ts2"]


async def test_a_server_that_is_away_is_asked_again_and_holds_up_no_other(desk: Desk, caplog):
    for server in (ONE, TWO):
        await desk.lent.note(server, GRANT)
    desk.agent.down = {"ts1"}
    assert await desk.later(60) == ["ts2"]
    desk.agent.down = set()
    assert await desk.later(1) == []
    assert await desk.later(AGAIN_SECONDS) == ["ts1"]
    assert caplog.text.count("a key of alice is still on ts1") == 1


async def test_an_account_that_is_refused_holds_up_no_other_on_its_server(desk: Desk):
    await desk.lent.note(ONE, GRANT)
    await desk.lent.note(ONE, Grant("bob", "ssh-rsa BBBB", 60))

    async def withdraw(server: Server, grant: Grant) -> None:
        if grant.username == "alice":
            raise Unavailable
        desk.gone.append((server.name, grant))

    assert await desk.later(60, Lent(desk.store, withdraw, desk.clock)) == ["ts1"]
    assert len(await desk.store.kept(KIND)) == 1


async def test_a_server_that_never_comes_back_is_given_up_at_last(
    desk: Desk, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)
    await desk.lent.note(ONE, GRANT)
    desk.agent.down = {"ts1"}
    assert await desk.later(FORGET_SECONDS) == []
    assert await desk.store.kept(KIND) != {}
    assert await desk.later(61) == []
    assert await desk.store.kept(KIND) == {}
    assert "without effect" in caplog.text


async def test_a_store_that_takes_nothing_means_no_key(desk: Desk):
    async def keep(*_: str) -> None:
        raise OSError("the disk is full")

    desk.store.keep = keep  # type: ignore[method-assign]
    with pytest.raises(Unavailable) as refused:
        await desk.lent.note(ONE, GRANT)
    assert "the disk is full" in refused.value.detail
