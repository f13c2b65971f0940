"""Session profiles: what is on offer, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from usher.model.servers import Server
from usher.settings import Settings

Option = str | int | bool | tuple[str, ...]
"""The value of one profile key, in the type that ``usher.options`` gives it."""


BROKER_USER = "BROKER_USER"
"""As the value of ``user`` in a profile: whoever logged in to the broker."""


class Rule(Struct, frozen=True):
    """One allow list and one deny list; ``ALL`` stands for everybody.

    ``broken`` says why a list could not be read: nobody passes a rule that nobody can read.
    """

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    allow_first: bool = False
    broken: str = ""

    def __bool__(self) -> bool:
        return bool(self.allow or self.deny or self.broken)


class Access(Struct, frozen=True):
    """Who may see a profile. Client entries are addresses, networks, host names or ``ALL``."""

    users: Rule = Rule()
    groups: Rule = Rule()
    clients: Rule = Rule()


class Profile(Struct, frozen=True, eq=False, weakref=True):
    """A session profile: what the client sees (``options``) and what only the broker knows.

    ``id`` can be sent back by every client. ``section`` is the name the administrator gave it;
    clients may use either. ``settings`` are its ``broker-*`` keys.
    """

    id: str
    servers: tuple[Server, ...]
    options: Mapping[str, Option]
    access: Access = Access()
    section: str = ""
    settings: Settings = Settings()

    @property
    def name(self) -> str:
        """What the client shows."""
        return str(self.options.get("name") or self.section or self.id)

    @property
    def proxy(self) -> Server | None:
        """What clients are to pass on their way to a server, if anything."""
        name = str(self.options.get("sshproxyhost", "")).removeprefix("!")  # clients drop the mark
        if not name or not self.options.get("usesshproxy"):
            return None
        return Server(name, name, int(str(self.options.get("sshproxyport", 22))))

    @property
    def key_proxy(self) -> Server | None:
        """The SSH proxy that one-time keys have to pass, if there is one."""
        is_ssh = self.options.get("sshproxytype") != "HTTP"
        return self.proxy if is_ssh and self.settings.session_autologin else None
