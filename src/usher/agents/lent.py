"""Keys that have to be taken away again, by a broker that may die before it is time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

import msgspec

from usher.errors import Unavailable
from usher.model import Grant, Server
from usher.ports import Store

log = logging.getLogger(__name__)

KIND = "lent-key"
"""The kind of what is kept in the store about them. A private key is never part of it."""

LOOK_SECONDS = 2.0
AGAIN_SECONDS = 10.0
"""After which a server that did not answer, or would not, is asked once more."""

FORGET_SECONDS = 7 * 86400.0
"""Who has been away for so long is not waited for: what sshd finds there has run out by itself."""

Withdraw = Callable[[Server, Grant], Awaitable[None]]


class Loan(msgspec.Struct, frozen=True):
    """A key that a server has let in until then (seconds since 1970), as the store keeps it."""

    server: Server
    username: str
    key: str
    file: str
    until: float

    def grant(self) -> Grant:
        """What is known of it when it has to go."""
        return Grant(self.username, self.key, 0, file=self.file)


class Lent:
    """Notes every key before it is let in, and has it taken away when its time is over.

    The store alone knows them: a broker that begins again, or another one, goes on from there.
    """

    def __init__(
        self, store: Store, withdraw: Withdraw, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._withdraw = withdraw
        self._clock = clock
        self._waiting: dict[object, float] = {}

    async def note(self, server: Server, grant: Grant) -> None:
        """From now on the key will be taken away, whether it was let in or not.

        Raises Unavailable when that cannot be promised.
        """
        until = self._clock() + grant.seconds
        loan = Loan(server, grant.username, grant.key, grant.file, until)
        value = msgspec.json.encode(loan)
        try:
            await self._store.keep(KIND, sha256(value).hexdigest()[:32], value.decode())
        except OSError as error:
            raise Unavailable(detail=f"the store does not take it: {error}") from error

    async def run(self) -> None:
        """Take away what is due, until cancelled."""
        while True:
            try:
                await self.take_back()
            except (OSError, ValueError) as error:
                log.warning("keys on servers cannot be taken away for now: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def take_back(self) -> None:
        """Take away what is due now, on all servers at once, as far as they answer."""
        now = self._clock()
        loans = _read(await self._store.kept(KIND))
        lent_again = {(loan.server, loan.grant()) for loan in loans.values() if loan.until > now}
        due: defaultdict[Server, dict[str, Loan]] = defaultdict(dict)
        for name, loan in loans.items():
            if loan.until > now or self._is_waiting(now, loan.server, name):
                continue
            if (loan.server, loan.grant()) in lent_again:
                await self._forget(name)  # whoever takes it away takes away every line of it
            else:
                due[loan.server][name] = loan
        await asyncio.gather(*(self._settle(server, its) for server, its in due.items()))

    def _is_waiting(self, now: float, *whom: object) -> bool:
        return any(self._waiting.get(each, 0.0) > now for each in whom)

    async def _settle(self, server: Server, loans: Mapping[str, Loan]) -> None:
        for name, loan in loans.items():
            try:
                await self._withdraw(server, loan.grant())
            except Unavailable as error:
                await self._put_off(name, loan, name, error.detail)
            except OSError as error:  # TimeoutError is one
                await self._put_off(name, loan, server, str(error))
                break
            else:
                await self._forget(name, server)

    async def _put_off(self, name: str, loan: Loan, whom: object, why: str) -> None:
        """It is tried again later; the log tells of it once, and of the end."""
        user, host = loan.username, loan.server.name
        if self._clock() - loan.until > FORGET_SECONDS:
            log.warning("a key of %s stays on %s, though without effect: %s", user, host, why)
            await self._forget(name)
            return
        told = log.debug if whom in self._waiting else log.warning
        told("a key of %s is still on %s, which is asked again: %s", user, host, why)
        self._waiting[whom] = self._clock() + AGAIN_SECONDS

    async def _forget(self, name: str, *whom: object) -> None:
        for each in (name, *whom):
            self._waiting.pop(each, None)
        await self._store.drop(KIND, name)


def _read(kept: Mapping[str, str]) -> dict[str, Loan]:
    return {name: msgspec.json.decode(value, type=Loan) for name, value in kept.items()}
