"""Believes everybody: for demonstrations, and for sites where something else has asked before."""

from __future__ import annotations

import logging

from usher.model import Client, Credential

log = logging.getLogger(__name__)

ANONYMOUS = "anonymous"


class Nobody:
    """Believes every name without a password: whoever reaches the broker is whoever they say."""

    def __init__(self) -> None:
        log.warning(
            "authenticator 'none': NOBODY IS ASKED FOR A PASSWORD. Whoever reaches this broker is "
            "believed to be whoever they say, and sees that user's profiles and servers."
        )

    async def authenticate(self, credential: Credential, client: Client) -> str:
        """The name as it was given; without one, ``anonymous``."""
        return credential.username or ANONYMOUS
