"""Users written into the configuration."""

from __future__ import annotations

import pytest

from usher.auth.static import Static
from usher.errors import AuthFailed
from usher.model import Credential, client_at


async def test_a_user_whose_password_was_left_empty_does_not_get_in():
    with pytest.raises(AuthFailed):
        await Static(users={"alice": ""}).authenticate(Credential("alice"), client_at("::1"))
