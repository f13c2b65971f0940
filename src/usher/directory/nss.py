"""The groups of the operating system, whatever stands behind it: files, LDAP, SSSD, winbind."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from usher.model import User

_THREADS = 8
_REMEMBERED = 10_000


class Nss:
    """The groups of the operating system: those a user would have after logging in there.

    ignore_primary_group: leave out the user's primary group, unless it lists them as a member too
    cache: seconds for which an answer is believed; 0 asks every time
    """

    def __init__(self, *, ignore_primary_group: bool = True, cache: float = 60) -> None:
        if cache < 0:
            raise ValueError(f"cache must be 0 or more seconds, not {cache:g}")
        look_up = partial(look_up_user, ignore_primary_group=ignore_primary_group)
        self._recent = Recent(look_up, seconds=cache)

    async def user(self, username: str) -> User:
        """The user with their groups. An OSError says that the system could not tell."""
        return await self._recent.user(username)


def look_up_user(username: str, *, ignore_primary_group: bool) -> User:
    """Ask the system, which may take long. A user it does not know is in no group."""
    try:
        account = pwd.getpwnam(username)
    except KeyError:
        return User(username)
    groups = set()
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        try:
            group = grp.getgrgid(gid)
        except KeyError:  # a number without a name cannot stand in any list
            continue
        primary = gid == account.pw_gid
        if not (primary and ignore_primary_group) or account.pw_name in group.gr_mem:
            groups.add(group.gr_name)
    # Some name services find Alice for alice: lists and tokens are about one spelling of her.
    same = account.pw_name.lower() == username.lower()
    return User(account.pw_name if same else username, frozenset(groups))


class Recent:
    """Answers of a slow question, asked in threads, and kept for ``seconds``.

    However many ask about one user at once, the question is asked once. An error is everybody's
    who waited for it, and is not kept. No more than ``size`` answers are remembered.
    """

    def __init__(
        self,
        look_up: Callable[[str], User],
        *,
        seconds: float,
        size: int = _REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._known: dict[str, tuple[float, User]] = {}  # oldest answer first
        self._asked: dict[str, asyncio.Future[User]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="usher-nss")

    async def user(self, username: str) -> User:
        """The remembered user, or a fresh answer."""
        known = self._known.get(username)
        if known and self._clock() < known[0]:
            return known[1]
        asked = self._asked.get(username) or self._ask(username)
        # Shielded: the one who asked first may leave, the others still wait.
        return await asyncio.shield(asked)

    def _ask(self, username: str) -> asyncio.Future[User]:
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._look_up, username)
        self._asked[username] = asked
        asked.add_done_callback(partial(self._remember, username))
        return asked

    def _remember(self, username: str, answer: asyncio.Future[User]) -> None:
        failed = answer.cancelled() or answer.exception() is not None
        del self._asked[username]
        self._known.pop(username, None)
        if failed:
            return
        self._known[username] = (self._clock() + self._seconds, answer.result())
        if len(self._known) > self._size:
            del self._known[next(iter(self._known))]
