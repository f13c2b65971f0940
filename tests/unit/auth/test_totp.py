"""Password and code together: what is asked, of whom, and what nobody learns."""

from __future__ import annotations

import time
from base64 import b32decode

import pytest
from fakes import FakeAuthenticator, FakeStore
from hypothesis import given
from hypothesis import strategies as st

from usher.auth.totp import NOT_ENROLLED, QUESTION, Totp, _split
from usher.enrolment import STEP_SECONDS, Enrolments, code_of
from usher.errors import AuthFailed
from usher.model import Credential, Question, client_at

CODES = "[0-9]{6}|[a-hjkmnp-z2-9]{5}-[a-hjkmnp-z2-9]{5}"

HERE, THERE = client_at("192.0.2.1"), client_at("192.0.2.2")


class Desk:
    """An authenticator in front of alice, who is enrolled, and bob, who is not."""

    def __init__(self, required: bool = True) -> None:
        self.inner = FakeAuthenticator({"alice": "wonder", "bob": "builder"})
        self.store = FakeStore()
        self.totp = Totp(inner=self.inner, store=self.store, required=required)
        self.questions: list[str] = []

    async def enroll(self, username: str = "alice") -> str:
        """A code that is right now; enrolled anew each time."""
        self.given = await Enrolments(self.store).enroll(username)
        return code_of(b32decode(self.given.secret), int(time.time()) // STEP_SECONDS)

    async def typed(self, password: str, username: str = "alice", client=HERE) -> str:
        """A login over a wire that cannot ask."""
        return await self.totp.authenticate(Credential(username, password), client)

    async def told(self, password: str, *answers: str, username: str = "alice") -> str:
        """A login over a wire that asks, and what it is told in turn."""
        rest = iter(answers)

        async def ask(question: Question) -> str:
            self.questions.append(question.text)
            assert not question.echo
            return next(rest)

        return await self.totp.authenticate(Credential(username, password, ask=ask), HERE)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def lenient() -> Desk:
    return Desk(required=False)


async def refusal(login) -> str:
    """What a refused client reads."""
    with pytest.raises(AuthFailed) as error:
        await login
    assert error.value.detail or str(error.value)
    return str(error.value)


@given(password=st.text(max_size=30), code=st.from_regex(CODES, fullmatch=True))
def test_a_code_behind_a_password_is_found_whatever_the_password_is(password: str, code: str):
    assert _split(password + code) == (password, code)


class TestWhereNobodyCanBeAsked:
    """The code stands at the end of the password."""

    async def test_password_and_code_let_in(self, desk: Desk):
        assert await desk.typed("wonder" + await desk.enroll()) == "alice"
        assert desk.inner.asked == [Credential("alice", "wonder")]

    async def test_password_and_recovery_code_let_in(self, desk: Desk):
        await desk.enroll()
        assert await desk.typed("wonder" + desk.given.recovery[0]) == "alice"
        assert await refusal(desk.typed("wonder" + desk.given.recovery[0], client=THERE))

    async def test_a_password_that_ends_in_digits_is_no_trouble(self, desk: Desk):
        desk.inner.passwords = {"alice": "w123456"}
        assert await desk.typed("w123456" + await desk.enroll()) == "alice"

    async def test_a_spent_code_lets_in_from_the_same_address_only(self, desk: Desk):
        password = "wonder" + await desk.enroll()
        for _ in range(2):
            assert await desk.typed(password) == "alice"
        assert await refusal(desk.typed(password, client=THERE)) == "Login failed."

    async def test_wrong_is_wrong_whatever_it_was_and_the_password_is_always_checked(
        self, desk: Desk
    ):
        code = await desk.enroll()
        wrong = ["wonder", f"wonde{code}", f"wonder{code[:-1]}", code, "", f"wonder {code}"]
        wrong += [f"wonder{(int(code) + 7) % 10**6:06}", "wonderabcde-fghjk"]
        assert {await refusal(desk.typed(password)) for password in wrong} == {"Login failed."}
        assert len(desk.inner.asked) == len(wrong)

    async def test_a_code_is_not_spent_by_a_wrong_password(self, desk: Desk):
        code = await desk.enroll()
        assert await refusal(desk.typed(f"wander{code}"))
        assert await desk.typed(f"wonder{code}", client=THERE) == "alice"

    async def test_who_is_not_enrolled_is_told_so_if_the_password_is_right(self, desk: Desk):
        assert await refusal(desk.typed("builder", "bob")) == NOT_ENROLLED
        assert await refusal(desk.typed("wrong", "bob")) == "Login failed."

    async def test_if_no_code_is_required_the_password_alone_lets_in(self, lenient: Desk):
        assert await lenient.typed("builder", "bob") == "bob"

    async def test_even_then_who_is_enrolled_needs_a_code(self, lenient: Desk):
        code = await lenient.enroll()
        assert await refusal(lenient.typed("wonder"))
        assert await lenient.typed("wonder" + code) == "alice"

    async def test_another_name_for_the_same_account_is_no_way_around(self, lenient: Desk):
        class Mapping(FakeAuthenticator):
            async def authenticate(self, credential, client):
                return "alice"

        await lenient.enroll()
        totp = Totp(inner=Mapping({}), store=lenient.store, required=False)
        assert await refusal(totp.authenticate(Credential("ALICE", "wonder"), HERE))

    async def test_what_the_inner_one_cannot_tell_is_no_refusal(self, desk: Desk):
        desk.inner.broken = True
        with pytest.raises(RuntimeError):
            await desk.typed("wonder123456")


class TestADialogue:
    """The code is asked for."""

    async def test_password_first_and_then_the_code(self, desk: Desk):
        assert await desk.told("wonder", await desk.enroll()) == "alice"
        assert desk.questions == [QUESTION.text]
        assert [(c.username, c.password) for c in desk.inner.asked] == [("alice", "wonder")]

    async def test_a_recovery_code_will_do(self, desk: Desk):
        await desk.enroll()
        assert await desk.told("wonder", desk.given.recovery[3]) == "alice"

    async def test_a_wrong_code_is_refused_and_the_client_may_begin_again(self, desk: Desk):
        code = await desk.enroll()
        assert await refusal(desk.told("wonder", "nonsense")) == "Login failed."
        assert await desk.told("wonder", code) == "alice"

    async def test_a_wrong_password_looks_like_a_wrong_code(self, desk: Desk):
        code = await desk.enroll()
        for username in ("alice", "bob", "mallory"):
            desk.questions.clear()
            login = desk.told("wrong", code, username=username)
            assert await refusal(login) == "Login failed."
            assert desk.questions == [QUESTION.text]

    async def test_who_is_not_enrolled_is_told_so_if_the_password_is_right(self, desk: Desk):
        assert await refusal(desk.told("builder", "", username="bob")) == NOT_ENROLLED

    async def test_if_no_code_is_required_only_the_enrolled_are_asked(self, lenient: Desk):
        code = await lenient.enroll()
        assert await lenient.told("builder", username="bob") == "bob"
        assert lenient.questions == []
        assert await lenient.told("wonder", code) == "alice"
        assert lenient.questions == [QUESTION.text]
