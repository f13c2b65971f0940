"""One-time keys: whose, where they are let in, and what becomes of a login without one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from fakes import FakeAgent, FakeClock

from usher import keys as module
from usher.farm import SHUNNED_SECONDS, Farm
from usher.keys import MOST_KEYS, Keys, Outstanding, Pair, Pool, ServerLost, read_public_key
from usher.model import (
    Grant,
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

ONE, TWO = Server("ts1", "192.0.2.1"), Server("ts2", "192.0.2.2")
ALICE, HERE = User("alice"), client_at("203.0.113.7")
AUTOLOGIN = Settings(session_autologin=True)
OWN = Resumable(
    Session("alice-50-1795414336_stDXFCE_dp24", "alice", "ts2", State.SUSPENDED, 50), TWO
)
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB2zTjYIPOUKBLaPY4+6BbdBLBuuJmjg3fpdNVwnQAzV"


class Desk:
    """Keys for a farm of two."""

    def __init__(self) -> None:
        self.agent, self.clock = FakeAgent(), FakeClock()
        self.farm = Farm(self.clock)
        self.pool = Pool(5)
        self.pool._pairs.extend(Pair(f"ssh-rsa {n}", f"PRIVATE {n}") for n in range(3))
        self.keys = Keys(self.agent, self.farm, self.pool, Outstanding(self.clock))

    async def hand_out(
        self, selection: Selection, settings: Settings = AUTOLOGIN, key: str = ""
    ) -> Selection:
        profile = Profile("desktop", (ONE, TWO), {}, settings=settings)
        return await self.keys.hand_out(selection, profile, ALICE, HERE, key, patience=0.05)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_key_of_the_pool_is_let_in_for_a_minute_from_the_client_alone(desk: Desk):
    selection = await desk.hand_out(Selection(ONE))
    assert selection.private_key == "PRIVATE 0"
    assert not selection.key_accepted
    assert desk.agent.authorized == {("ts1", Grant("alice", "ssh-rsa 0", 60, HERE.address))}


async def test_behind_nat_a_key_counts_from_anywhere_and_as_long_as_is_said(desk: Desk):
    await desk.hand_out(
        Selection(ONE), Settings(session_autologin=True, key_from="off", key_lifetime=20)
    )
    assert desk.agent.authorized == {("ts1", Grant("alice", "ssh-rsa 0", 20, None))}


async def test_every_server_with_a_session_lets_it_in_and_for_longer(desk: Desk):
    await desk.hand_out(Selection(ONE, sessions=(OWN,)))
    grant = Grant("alice", "ssh-rsa 0", 300, HERE.address)
    assert desk.agent.authorized == {("ts1", grant), ("ts2", grant)}


async def test_all_servers_are_asked_at_the_same_time(desk: Desk):
    asked = asyncio.Barrier(2)

    async def authorize(server: Server, grant: Grant) -> None:
        await asked.wait()

    desk.agent.authorize = authorize  # type: ignore[method-assign]
    selection = await desk.hand_out(Selection(ONE, sessions=(OWN,)))
    assert (selection.sessions, bool(selection.private_key)) == ((OWN,), True)


async def test_a_client_with_a_key_of_its_own_gets_no_other(desk: Desk):
    line = f"no-X11-forwarding,no-pty,no-user-rc {ED25519} alice@127.0.0.1"
    selection = await desk.hand_out(Selection(ONE), key=line)
    assert (selection.private_key, selection.key_accepted) == ("", True)
    assert desk.agent.authorized == {("ts1", Grant("alice", ED25519, 60, HERE.address))}


async def test_no_two_logins_share_a_key_and_an_empty_pool_means_none(desk: Desk, caplog):
    handed = [(await desk.hand_out(Selection(ONE))).private_key for _ in range(4)]
    assert handed == ["PRIVATE 0", "PRIVATE 1", "PRIVATE 2", ""]
    assert "the pool is empty" in caplog.text


async def test_whoever_has_five_keys_that_hold_gets_no_other(desk: Desk, caplog):
    desk.pool._pairs.extend(Pair(f"ssh-rsa {n}", f"PRIVATE {n}") for n in range(3, 9))
    handed = [(await desk.hand_out(Selection(ONE))).private_key for _ in range(MOST_KEYS + 1)]
    assert [bool(key) for key in handed] == [True] * MOST_KEYS + [False]
    assert "no one-time key for alice: 5 still hold" in caplog.text
    desk.clock.now += 60
    assert (await desk.hand_out(Selection(ONE))).private_key


async def test_a_clients_own_key_is_one_however_often_it_comes(desk: Desk):
    for _ in range(MOST_KEYS + 1):
        assert (await desk.hand_out(Selection(ONE), key=ED25519)).key_accepted


async def test_a_key_that_was_not_let_in_holds_nowhere(desk: Desk):
    desk.pool._pairs.extend(Pair(f"ssh-rsa {n}", f"PRIVATE {n}") for n in range(3, 9))
    for desk.agent.unwilling, desk.agent.down in [({"ts1"}, set()), (set(), {"ts1"})] * 3:
        with suppress(ServerLost):
            await desk.hand_out(Selection(ONE))
    desk.agent.down = set()
    assert (await desk.hand_out(Selection(ONE))).private_key


@pytest.mark.parametrize("misfortune", ["unwilling", "broken"])
async def test_a_server_that_refuses_the_key_gets_a_client_without_one(desk: Desk, misfortune: str):
    setattr(desk.agent, misfortune, {"ts1"})
    assert await desk.hand_out(Selection(ONE)) == Selection(ONE)


async def test_a_session_whose_server_refuses_the_key_is_left_out(desk: Desk):
    desk.agent.unwilling = {"ts2"}
    selection = await desk.hand_out(Selection(ONE, sessions=(OWN,)))
    assert (selection.server, selection.sessions, bool(selection.private_key)) == (ONE, (), True)


async def test_a_server_for_a_new_session_that_refuses_it_gives_way_to_the_sessions(desk: Desk):
    desk.agent.unwilling = {"ts1"}
    selection = await desk.hand_out(Selection(ONE, sessions=(OWN,)))
    assert (selection.server, selection.sessions) == (TWO, (OWN,))
    assert selection.private_key


async def test_a_server_that_does_not_answer_is_lost_and_down(desk: Desk):
    desk.agent.down = {"ts1"}
    with pytest.raises(ServerLost):
        await desk.hand_out(Selection(ONE))
    assert not desk.farm.is_up(ONE)


async def test_a_server_that_says_nothing_is_lost_when_patience_is_over_and_may_only_be_slow(
    desk: Desk,
):
    desk.agent.slow = {"ts1"}
    with pytest.raises(ServerLost):
        await desk.hand_out(Selection(ONE))
    assert desk.farm.is_up(ONE)


async def test_a_session_whose_server_says_nothing_is_left_out(desk: Desk):
    desk.agent.slow = {"ts2"}
    selection = await desk.hand_out(Selection(ONE, sessions=(OWN,)))
    assert (selection.server, selection.sessions, bool(selection.private_key)) == (ONE, (), True)


async def test_a_server_that_is_none_is_not_asked(desk: Desk):
    nowhere = Server("session-limit-reached.invalid", "session-limit-reached.invalid")
    selection = await desk.hand_out(Selection(nowhere, sessions=(OWN,)))
    assert {name for name, _ in desk.agent.authorized} == {"ts2"}
    assert selection.private_key


async def test_a_server_that_fails_three_in_a_row_is_tried_last_for_a_while(desk: Desk):
    desk.agent.unwilling = {"ts1"}
    for shunned in (False, False, True):
        await desk.hand_out(Selection(ONE))
        assert desk.farm.is_shunned(ONE) is shunned
    desk.clock.now += SHUNNED_SECONDS
    assert not desk.farm.is_shunned(ONE)


async def test_a_success_between_failures_makes_good_for_them(desk: Desk):
    desk.pool._pairs.extend(desk.pool._pairs.copy())
    for unwilling in ({"ts1"}, {"ts1"}, set(), {"ts1"}):
        desk.agent.unwilling = unwilling
        await desk.hand_out(Selection(ONE))
    assert not desk.farm.is_shunned(ONE)


def test_whoever_may_need_a_key_has_them_made():
    pool = Pool(5)
    keys = Keys(FakeAgent(), Farm(), pool)
    keys.foresee([Profile("a", (), {})])
    assert not pool.wanted.is_set()
    keys.foresee([Profile("a", (), {}), Profile("b", (), {}, settings=AUTOLOGIN)])
    assert pool.wanted.is_set()


async def test_the_pool_is_filled_by_a_child_and_no_further_than_its_size(tmp_path: Path):
    pool = Pool(2)
    pool.wanted.set()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        filling = tasks.create_task(pool.run())
        while pool.wanted.is_set():
            await asyncio.sleep(0.01)
        assert len(pool) == 2
        pair = pool.take()
        while len(pool) < 2:
            await asyncio.sleep(0.01)
        filling.cancel()
    assert pair and "PRIVATE" not in repr(pair)
    assert pair.private.startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    file = tmp_path / "key"
    file.write_text(pair.private)
    file.chmod(0o600)
    public = subprocess.run(["ssh-keygen", "-yf", file], capture_output=True, text=True, check=True)
    assert public.stdout.split()[:2] == pair.public.split()


@pytest.mark.parametrize("lost", ["BrokenPipeError", "ConnectionResetError"])
def test_the_maker_of_keys_ends_without_a_word_when_nobody_reads_any_more(lost: str):
    loses = f"def make(): raise {lost}"  # which one, depends on what it was doing
    script = f"from usher.helpers import keypairs as k\n{loses}\nk.make = make\nexit(k.main())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_a_full_pool_leaves_no_pipe_behind(monkeypatch):
    lines = "while :; do echo QQ==; echo QQ==; done"
    monkeypatch.setattr(module, "MAKER", ("sh", "-c", lines))
    pool = Pool(2)
    pool.wanted.set()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        filling = tasks.create_task(pool.run())
        while pool.wanted.is_set():
            await asyncio.sleep(0.01)
        filling.cancel()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_child_that_ends_is_an_error_and_keys_are_still_wanted(monkeypatch):
    monkeypatch.setattr(module, "MAKER", ("true",))
    pool = Pool(2)
    pool.wanted.set()
    with pytest.raises(ChildProcessError):
        await pool.run()
    assert pool.wanted.is_set()


@pytest.mark.parametrize("around", ["{}", "{} me@here", "restrict,no-pty {} x", "\t{}\tx y"])
def test_a_key_is_found_among_options_and_comments_and_written_anew(around: str):
    assert read_public_key(around.format(ED25519)) == ED25519


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-dss AAAAB3NzaC1kc3MAAACBAPY8ZOHY2yFSJA6XYC9HRwNHxaehvx5wOJ0rzZdzoSOXxbETW6ToHv8D1UJ",
        "ssh-ed25519 AAAA",
        "ssh-rsa " + ED25519.split()[1],
        'command="rm -rf /"',
        ED25519.replace("AAAAC3", "AAAAC4"),
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDBo3u1kvwLJ0Wz",
    ],
)
def test_what_is_no_key_that_sshd_takes_is_none(text: str):
    assert read_public_key(text) == ""
