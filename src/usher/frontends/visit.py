"""One connection to the built-in SSH server: its login, and the commands that follow."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import asyncssh

from usher import ssh
from usher.errors import BrokerError
from usher.frontends.authorized import keys_of
from usher.frontends.boundary import PATIENCE_SECONDS, Handler, answer, incident, refused
from usher.frontends.channel import Channel, Output
from usher.frontends.conversation import Challenge, Conversation
from usher.frontends.gathering import Gathering
from usher.frontends.strangers import Strangers
from usher.model import Ask, Client, Credential, Request, Task, client_at
from usher.wire.ssh import Ssh

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 10
"""Passwords and keys that may fail on one connection."""

LIBSSH = "SSH-2.0-libssh"
"""How x2goclient calls itself; it gives its password by keyboard-interactive."""

MOST_QUESTIONS = 3
"""Logins with a question that may fail: x2goclient begins anew for ever, and keeps the password."""

MOST_COMMANDS = 10
"""Commands at once on one connection."""


@dataclass(frozen=True, slots=True)
class House:
    """What all visits have in common; without ``authorized_keys`` nobody logs in by a key."""

    handle: Handler
    authorized_keys: Path | None
    strangers: Strangers = field(default_factory=Strangers)
    visits: set[Visit] = field(default_factory=set)


class Visit(asyncssh.SSHServer):
    """One connection: who it is, and what they may ask."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._client: Client | None = None
        self._stranger = self._leaving = False
        self._attempts = self._questions = self._commands = 0
        self._conversation: Conversation | None = None
        self._login: asyncio.Task[None] | None = None
        self._proved: dict[str, str] = {}  # by the name that was typed

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is there, whom there may be no room for, or who has gone already."""
        self._conn = conn
        conn._transport = cast("asyncio.Transport", Gathering(conn._transport))
        self._house.visits.add(self)
        if peer := conn.get_extra_info("peername"):
            self._client = client_at(peer[0])
            self._stranger = self._house.strangers.admit(self._client.address)
        if not self._stranger:
            log.warning("no room for another connection from %s", peer)
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        self._forget_login()
        self._known_or_gone()
        self._house.visits.discard(self)

    async def leave(self) -> None:
        """End the connection, once what was asked is answered."""
        self._leaving = True
        if not self._commands:
            self._conn.abort()
        await self._conn.wait_closed()

    def auth_completed(self) -> None:
        """A stranger no more."""
        self._known_or_gone()
        typed = self._conn.get_extra_info("username")
        self._wire = Ssh(self._proved.get(typed, typed), (typed,), time.time())

    def public_key_auth_supported(self) -> bool:
        """If there is a folder of keys."""
        return self._house.authorized_keys is not None

    def password_auth_supported(self) -> bool:
        """For all but x2goclient, which never comes back if it is hung up on with this to try."""
        return not str(self._conn.get_extra_info("client_version")).startswith(LIBSSH)

    def kbdint_auth_supported(self) -> bool:
        """Always."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Is it one of the keys in the user's file?"""
        if self._too_many():
            return False
        try:
            fits = await asyncio.to_thread(self._fits, username, key)
        except OSError as error:
            log.error("the keys of %r are not used: %s", username, error)
            return False
        self._attempts -= fits  # asked once more with the signature
        return fits

    async def validate_password(self, username: str, password: str) -> bool:
        """Is it the user's password?"""
        return await self._prove(username, password)

    async def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> Challenge | bool:
        """Begin to ask."""
        self._forget_login()
        self._conversation = Conversation(partial(self._prove, username))
        self._login = self._conn.create_task(self._conversation.run())
        return await self._conversation.begin()

    async def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> Challenge | bool:
        """Go on, unless nobody has asked."""
        talk = self._conversation
        verdict = await talk.go_on(responses) if talk else False
        if talk and talk.questions and verdict is False:
            self._questions += 1
            if talk.given_up or self._questions >= MOST_QUESTIONS:
                self._conn.abort()  # as in _too_many
        return verdict

    def session_requested(self) -> Channel | bool:
        """Room for a command, if there are not too many."""
        if self._leaving or self._commands >= MOST_COMMANDS:
            return False
        self._commands += 1
        return Channel(self._answer, self._command_over)

    def _command_over(self) -> None:
        self._commands -= 1
        if self._leaving and not self._commands:
            self._conn.abort()

    async def _answer(self, line: str) -> Output:
        try:
            command = ssh.parse(line)
        except ssh.NotACommand as error:
            return Output(complaint=f"{error}\n".encode())
        before, after = command.before.encode(), command.after.encode()
        if not command.form:
            return Output(before + after)
        assert self._client  # noqa: S101 - without an address nobody has logged in
        made = await answer(self._house.handle, self._wire, command.form, self._client)
        if made.status != 200:
            return Output(complaint=made.body)
        return Output(before + made.body + after)

    async def _prove(self, username: str, password: str, ask: Ask | None = None) -> bool:
        """Let the broker decide, after the pause that earlier failures have earned."""
        assert self._client  # noqa: S101 - who has no address has been sent away
        if self._too_many():
            return False
        credential = Credential(username, password, ask=ask)
        await asyncio.sleep(self._house.strangers.pause(self._client.address, username))
        try:
            async with asyncio.timeout(None if ask else PATIENCE_SECONDS):  # people take longer
                request = Request(Task.LOGIN, credential, self._client)
                reply = await self._house.handle(request)
        except BrokerError as error:
            self._house.strangers.failed(self._client.address, username)
            refused(username, self._client, error)
            return False
        except Exception as error:  # noqa: BLE001 - the last line; incident() logs it in full
            incident(error, self._client)
            return False
        self._proved[username] = reply.user.name if reply.user else username
        return True

    def _fits(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Is the key one of the user's, for a client at this address? Raises OSError."""
        assert self._house.authorized_keys and self._client  # noqa: S101 - else nobody asks
        try:
            known = asyncssh.import_authorized_keys(keys_of(self._house.authorized_keys, username))
        except ValueError:  # not one key
            return False
        address = str(self._client.address)
        options = known.validate(key, address, address)
        if options and "expiry-time" in options:
            log.warning("a key of %r is not used: expiry-time is not understood here", username)
            return False
        return options is not None

    def _too_many(self) -> bool:
        """Count an attempt. Who may not try again is left without a word of SSH.

        At one, x2goclient would show nothing and lock its window.
        """
        self._attempts += 1
        if self._attempts > MOST_ATTEMPTS:
            self._conn.abort()
        return self._attempts > MOST_ATTEMPTS

    def _forget_login(self) -> None:
        if self._login:
            self._login.cancel()

    def _known_or_gone(self) -> None:
        if self._stranger and self._client:
            self._stranger = False
            self._house.strangers.leave(self._client.address)
