"""A one-time code beside the password that another authenticator checks."""

from __future__ import annotations

import re
import time
from typing import Final

from msgspec.structs import replace

from usher.enrolment import Enrolments
from usher.errors import AuthFailed
from usher.model import Client, Credential, Question
from usher.ports import Authenticator, Store

QUESTION: Final = Question("Verification code: ")
"""In words that x2goclient knows: it shows a dialogue for them."""

NOT_ENROLLED: Final = (
    "Your account has no one-time codes yet. Ask your administrator to enroll you."
)
_WITH_CODE: Final = re.compile(r"(.*?)([0-9]{6}|[a-z2-9]{5}-[a-z2-9]{5})", re.DOTALL)


class Totp:
    """Password and one-time code (RFC 6238). Another authenticator checks the password.

    Over SSH the code is asked for. HTTP and CGI cannot ask: there it stands at the end of the
    password, six digits or a recovery code. Each code lets in once. ``usher totp enroll`` gives a
    user the secret for their phone.

    inner: who checks the password
    required: refuse users who are not enrolled; false: they log in with the password alone
    """

    one_time = True

    def __init__(self, *, inner: Authenticator, store: Store, required: bool = True) -> None:
        self._inner = inner
        self._enrolments = Enrolments(store)
        self._required = required

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name that the inner one has proved, once the code is right as well."""
        enrolled = await self._enrolments.knows(credential.username)
        password, code = credential.password, ""
        if credential.ask and (enrolled or self._required):
            # Before anybody has looked at the password: nobody learns which of the two was wrong.
            # Once only: x2goclient would answer a second time by itself, with the same code.
            code = await credential.answer_to(QUESTION)
        elif enrolled:
            password, code = _split(password)
        name = await self._inner.authenticate(replace(credential, password=password), client)
        return await self._spend(name, code, client)

    async def _spend(self, name: str, code: str, client: Client) -> str:
        try:
            await self._enrolments.spend(name, code, str(client.address), time.time())
        except KeyError:
            if self._required:
                detail = f"the password is right; to enroll: usher totp enroll {name}"
                raise AuthFailed(NOT_ENROLLED, detail=detail) from None
        return name


def _split(password: str) -> tuple[str, str]:
    """The password, and the code at its end; with none, all of it is the password."""
    found = _WITH_CODE.fullmatch(password)
    return (found[1], found[2]) if found else (password, "")
