"""One-time codes: which are right, and that each is good once."""

from __future__ import annotations

import asyncio
from base64 import b32decode
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes import FakeStore

from usher.enrolment import (
    MISTAKES,
    RECOVERY_CODES,
    REPEAT_SECONDS,
    STEP_SECONDS,
    Enrolment,
    Enrolments,
    Handout,
    Wrong,
    code_of,
)
from usher.errors import AuthFailed
from usher.store.sqlite import Sqlite

HERE, THERE = "192.0.2.1", "192.0.2.2"
NOW = 1_795_000_000.0
SECRET = b"12345678901234567890"
ALICE = Enrolment("alice", SECRET, frozenset())

CODE = code_of(SECRET, int(NOW) // STEP_SECONDS)


@pytest.mark.parametrize(
    ("time", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(time: int, code: str):
    assert code_of(SECRET, time // STEP_SECONDS) == code[-6:]
    assert ALICE.spend(code[-6:], HERE, time).step == time // STEP_SECONDS


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_clocks_may_differ_by_a_step(drift: int):
    assert ALICE.spend(CODE, HERE, NOW + drift * STEP_SECONDS).code == CODE


@pytest.mark.parametrize("drift", [-2, 2, 120])
def test_clocks_may_not_differ_by_more(drift: int):
    with pytest.raises(Wrong):
        ALICE.spend(CODE, HERE, NOW + drift * STEP_SECONDS)


@pytest.mark.parametrize("code", ["000000", CODE[:-1], CODE + "0", "١٢٣٤٥٦", "x" * 9000])
def test_anything_else_is_refused(code: str):
    with pytest.raises(Wrong):
        ALICE.spend(code, HERE, NOW)


def test_no_code_is_no_mistake():
    for code in ("", " "):
        with pytest.raises(AuthFailed):
            ALICE.spend(code, HERE, NOW)


def test_blanks_around_a_code_do_not_matter():
    assert ALICE.spend(f" {CODE} ", HERE, NOW).code == CODE


def test_a_spent_code_is_refused_from_elsewhere():
    with pytest.raises(AuthFailed):
        ALICE.spend(CODE, HERE, NOW).spend(CODE, THERE, NOW)


def test_the_same_login_from_the_same_address_is_the_same_for_a_minute():
    spent = ALICE.spend(CODE, HERE, NOW)
    assert spent.spend(CODE, HERE, NOW + REPEAT_SECONDS - 1) is spent
    for later in (NOW + REPEAT_SECONDS, NOW - 1):
        with pytest.raises(AuthFailed):
            spent.spend(CODE, HERE, later)


def test_an_earlier_code_than_the_last_one_is_spent_as_well():
    spent = ALICE.spend(CODE, HERE, NOW - STEP_SECONDS)
    earlier = code_of(SECRET, int(NOW) // STEP_SECONDS - 1)
    with pytest.raises(Wrong):
        spent.spend(earlier, HERE, NOW - STEP_SECONDS)


def test_the_next_code_lets_in_again_and_ends_the_repetition():
    after = code_of(SECRET, int(NOW) // STEP_SECONDS + 1)
    again = ALICE.spend(CODE, HERE, NOW).spend(after, HERE, NOW + 30)
    assert again.code == after
    with pytest.raises(Wrong):
        again.spend(CODE, HERE, NOW + 31)


def test_after_some_wrong_codes_none_counts_for_longer_and_longer():
    for wrong, rest in ((0, 0), (5, 0), (6, 2), (9, 16), (9999, 2048)):
        tried = replace(ALICE, wrong=wrong, tried=NOW - rest)
        assert tried.spend(CODE, HERE, NOW).wrong == 0
        if rest:
            with pytest.raises(AuthFailed, match=r"Login failed\."):
                replace(tried, tried=NOW - rest + 1).spend(CODE, HERE, NOW)


def test_secrets_do_not_show():
    shown = repr(ALICE.spend(CODE, HERE, NOW)) + repr(Handout("uri:", "SECRET", ("abc",)))
    for secret in (CODE, "1234567890", "uri:", "SECRET", "abc"):
        assert secret not in shown


class TestInTheStore:
    """Several enrolments, and several daemons."""

    async def test_what_the_user_is_given_works(self):
        enrolments = Enrolments(FakeStore())
        given = await enrolments.enroll("jürgen müller")
        asked = parse_qs(urlsplit(given.uri).query)
        assert asked["secret"] == [given.secret]
        assert asked["issuer"] == ["X2Go"]
        code = code_of(b32decode(given.secret), int(NOW) // STEP_SECONDS)
        await enrolments.spend("jürgen müller", code, HERE, NOW)

    async def test_every_recovery_code_lets_in_once(self):
        enrolments = Enrolments(FakeStore())
        codes = (await enrolments.enroll("alice")).recovery
        assert len({*codes}) == RECOVERY_CODES
        for code in codes:
            await enrolments.spend("alice", code, HERE, NOW)
            await enrolments.spend("alice", code, HERE, NOW)
            with pytest.raises(AuthFailed):
                await enrolments.spend("alice", code, THERE, NOW)
        for code in codes:
            with pytest.raises(AuthFailed):
                await enrolments.spend("alice", code, HERE, NOW + REPEAT_SECONDS)

    async def test_wrong_codes_are_counted_and_recovery_codes_count_all_the_same(self):
        enrolments = Enrolments(FakeStore())
        given = await enrolments.enroll("alice")
        right = code_of(b32decode(given.secret), int(NOW) // STEP_SECONDS)
        for _ in range(MISTAKES + 1):
            with pytest.raises(AuthFailed):
                await enrolments.spend("alice", "wrong", HERE, NOW)
        with pytest.raises(AuthFailed):
            await enrolments.spend("alice", right, HERE, NOW)
        await enrolments.spend("alice", given.recovery[0], HERE, NOW)
        await enrolments.spend("alice", right, HERE, NOW)

    async def test_a_client_that_goes_on_sending_a_spent_code_costs_its_user_nothing(self):
        enrolments = Enrolments(FakeStore())
        given = await enrolments.enroll("alice")
        await enrolments.spend("alice", given.recovery[0], HERE, NOW)
        for _ in range(MISTAKES + 1):
            with pytest.raises(AuthFailed):
                await enrolments.spend("alice", given.recovery[0], THERE, NOW)
        right = code_of(b32decode(given.secret), int(NOW) // STEP_SECONDS)
        await enrolments.spend("alice", right, HERE, NOW)

    async def test_a_recovery_code_of_somebody_else_is_none(self):
        enrolments = Enrolments(FakeStore())
        await enrolments.enroll("alice")
        codes = (await enrolments.enroll("bob")).recovery
        with pytest.raises(AuthFailed):
            await enrolments.spend("alice", codes[0], HERE, NOW)

    async def test_a_new_secret_ends_the_old_one(self):
        enrolments = Enrolments(FakeStore())
        old = await enrolments.enroll("alice")
        new = await enrolments.enroll("alice")
        with pytest.raises(AuthFailed):
            await enrolments.spend("alice", old.recovery[0], HERE, NOW)
        await enrolments.spend("alice", new.recovery[0], HERE, NOW)

    async def test_it_knows_who_is_enrolled(self):
        enrolments = Enrolments(FakeStore())
        assert not await enrolments.knows("alice")
        for name in ("bob", "alice", "carol"):
            await enrolments.enroll(name)
        await enrolments.remove("carol")
        await enrolments.remove("mallory")
        assert await enrolments.knows("alice")
        assert await enrolments.names() == ["alice", "bob"]
        for name in ("carol", "mallory"):
            with pytest.raises(KeyError):
                await enrolments.spend(name, CODE, HERE, NOW)

    async def test_a_spent_code_stays_spent_after_a_restart(self, tmp_path: Path):
        Sqlite(path=tmp_path).secret("secret")
        code = (await Enrolments(Sqlite(path=tmp_path)).enroll("alice")).recovery[0]
        await Enrolments(Sqlite(path=tmp_path)).spend("alice", code, HERE, NOW)
        with pytest.raises(AuthFailed):
            await Enrolments(Sqlite(path=tmp_path)).spend("alice", code, THERE, NOW)

    async def test_of_many_daemons_that_are_given_a_code_at_once_one_takes_it(self, tmp_path: Path):
        daemons = [Enrolments(Sqlite(path=tmp_path)) for _ in range(6)]
        code = (await daemons[0].enroll("alice")).recovery[0]

        async def taken(daemon: Enrolments, address: str) -> bool:
            try:
                await daemon.spend("alice", code, address, NOW)
            except AuthFailed:
                return False
            return True

        addresses = [f"192.0.2.{number}" for number in range(6)]
        assert [*await asyncio.gather(*map(taken, daemons, addresses))].count(True) == 1
        repeated = [taken(daemon, addresses[0]) for daemon in daemons]
        assert len({*await asyncio.gather(*repeated)}) == 1

    async def test_nothing_of_it_can_be_read_without_the_secret(self, tmp_path: Path):
        given = await Enrolments(Sqlite(path=tmp_path)).enroll("alice")
        database = b"".join(path.read_bytes() for path in tmp_path.glob("usher.db*"))
        assert b"alice" in database
        for secret in (given.secret, *given.recovery):
            assert secret.encode() not in database
        assert b32decode(given.secret) not in database

    async def test_an_enrolment_that_cannot_be_read_is_no_refusal(self):
        store = FakeStore()
        await Enrolments(store).enroll("alice")
        await store.keep("totp", "bob", await store.find("totp", "alice"))
        with pytest.raises(OSError, match="the enrolment of 'bob' is another user's"):
            await Enrolments(store).spend("bob", CODE, HERE, NOW)
        await store.keep("totp", "bob", "torn")
        with pytest.raises(OSError, match="cannot be read: run usher totp enroll anew"):
            await Enrolments(store).spend("bob", CODE, HERE, NOW)
