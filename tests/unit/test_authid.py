"""Sealed tokens, with a clock that the test holds."""

from __future__ import annotations

import pytest
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from usher.authid import AuthIds, Claim, Doubt
from usher.model import Login, User, client_at

SECRET, OTHER_SECRET = b"s" * 32, b"o" * 32
HERE, THERE = client_at("192.0.2.1"), client_at("192.0.2.2")
LIFETIME = 100.0
NOW = FakeClock().now


class Office:
    """Where tokens are sealed and read, with everything about it at hand."""

    def __init__(self, secret: bytes = SECRET, *, bind: bool = True, lifetime: float = LIFETIME):
        self.clock = FakeClock()
        self.revoked: dict[str, float] = {}
        self.authids = AuthIds(
            secret, lifetime=lifetime, bind_address=bind, revoked=self.revoked, clock=self.clock
        )

    def token(self, name: str = "alice", since: float = NOW) -> str:
        return self.authids.seal(Login(User(name), since), HERE)

    def doubt(self, token: str, name: str = "alice", client=HERE) -> Doubt | None:
        return self.authids.read(token, name, client).doubt


@pytest.fixture
def office() -> Office:
    return Office()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.floats(1, 1e10))
def test_what_was_sealed_is_read(name: str, since: float):
    office = Office(lifetime=1e11)
    assert office.authids.read(office.token(name, since), name, HERE) == Claim(name, since)


def test_a_name_that_was_typed_otherwise_comes_back_with_its_token(office: Office):
    token = office.authids.seal(Login(User("alice"), NOW, "Alice"), HERE)
    assert office.authids.read(token, "Alice", HERE) == Claim("alice", NOW)
    assert office.authids.read(token, "ALICE", HERE).doubt is Doubt.SOMEBODY_ELSE


def test_no_two_tokens_are_the_same(office: Office):
    assert len({office.token() for _ in range(100)}) == 100


@given(st.text(max_size=200))
def test_no_other_text_is_a_token(text: str):
    assert Office().doubt(text) is Doubt.FOREIGN


@given(st.binary(max_size=200))
def test_no_other_bytes_are_a_token(raw: bytes):
    assert Office().doubt(raw.hex()) is Doubt.FOREIGN


@given(st.data())
def test_no_changed_token_is_a_token(data: st.DataObject):
    office = Office()
    token = office.token()
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("0123456789abcdefABCDEF g"))
    forged = token[:position] + character + token[position + 1 :]
    assert office.doubt(forged) is (None if forged == token else Doubt.FOREIGN)


@pytest.mark.parametrize("change", [str.upper, lambda t: " " + t, lambda t: t + "\n", str.title])
def test_a_token_has_one_spelling(office: Office, change):
    assert office.doubt(change(office.token())) is Doubt.FOREIGN


def test_a_token_sealed_with_another_secret_is_foreign(office: Office):
    assert office.doubt(Office(OTHER_SECRET).token()) is Doubt.FOREIGN


def test_a_token_of_a_daemon_with_the_same_secret_counts(office: Office):
    assert office.doubt(Office().token()) is None


@pytest.mark.parametrize("name", ["bob", "Alice", "alic", "alice ", ""])
def test_a_token_is_for_its_user_only(office: Office, name: str):
    assert office.doubt(office.token(), name) is Doubt.SOMEBODY_ELSE


@pytest.mark.parametrize(
    ("sealed_bound", "read_bound", "doubt"),
    [
        (True, True, Doubt.ELSEWHERE),
        (True, False, None),
        (False, True, None),
        (False, False, None),
    ],
)
def test_a_token_is_bound_to_its_address_where_both_sides_want_that(
    sealed_bound: bool, read_bound: bool, doubt: Doubt | None
):
    token = Office(bind=sealed_bound).token()
    assert Office(bind=read_bound).doubt(token, client=THERE) is doubt


def test_the_same_client_by_ipv4_and_by_mapped_ipv6_is_one(office: Office):
    assert office.doubt(office.token(), client=client_at("::ffff:192.0.2.1")) is None


def test_a_token_expires_to_the_second(office: Office):
    token = office.token()
    office.clock.now = NOW + LIFETIME - 0.001
    assert office.doubt(token) is None
    office.clock.now = NOW + LIFETIME
    assert office.doubt(token) is Doubt.EXPIRED


def test_a_token_renewed_again_and_again_expires_with_the_first(office: Office):
    token = office.token()
    for second in range(0, 100, 10):
        office.clock.now = NOW + second
        claim = office.authids.read(token, "alice", HERE)
        token = office.authids.seal(Login(User("alice"), claim.since), HERE)
    office.clock.now = NOW + LIFETIME
    assert office.doubt(token) is Doubt.EXPIRED


@pytest.mark.parametrize(("sealed", "read"), [(LIFETIME, 10.0), (10.0, LIFETIME)])
def test_the_shorter_lifetime_counts_when_the_configuration_changes(sealed: float, read: float):
    token, office = Office(lifetime=sealed).token(), Office(lifetime=read)
    office.clock.now = NOW + 10
    assert office.doubt(token) is Doubt.EXPIRED


def test_what_an_expired_token_said_is_still_known(office: Office):
    token = office.token()
    office.clock.now = NOW + 1e9
    assert office.authids.read(token, "alice", HERE) == Claim("alice", NOW, Doubt.EXPIRED)


@pytest.mark.parametrize(
    ("revoked_at", "doubt"), [(NOW - 1, None), (NOW, Doubt.REVOKED), (NOW + 1, Doubt.REVOKED)]
)
def test_revoking_ends_the_logins_until_then(
    office: Office, revoked_at: float, doubt: Doubt | None
):
    office.revoked["alice"] = revoked_at
    assert office.doubt(office.token()) is doubt
    assert office.doubt(office.token("bob"), "bob") is None
