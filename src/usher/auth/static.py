"""Users written into the configuration, for trying things out."""

from __future__ import annotations

from hmac import compare_digest

from usher.errors import AuthFailed
from usher.model import Client, Credential


class Static:
    """Users written into the configuration, for trying things out.

    users: user names and their passwords, in clear text
    """

    def __init__(self, *, users: dict[str, str]) -> None:
        self._users = users

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """Compare with the password in the configuration; an empty one lets nobody in."""
        expected = self._users.get(credential.username, "")
        same = compare_digest(expected.encode(), credential.password.encode())
        if not expected or not same:
            raise AuthFailed(detail="wrong user or password")
        return credential.username
