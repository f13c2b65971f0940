"""From a configuration to living parts: builds every one, and tells everything that is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from usher import tables
from usher.config import Config, core
from usher.errors import ConfigError, Fault
from usher.plugins import Builder, build, installed
from usher.ports import (
    KINDS,
    Agent,
    Authenticator,
    Checked,
    Directory,
    Located,
    OneTime,
    ProfileSource,
    Selector,
    Store,
)
from usher.settings import Policy

log = logging.getLogger(__name__)
T = TypeVar("T")

_LEFT_RUNNING = (
    "this agent cannot suspend sessions, and the user chooses: write choose, or use our agent"
)
_SPENT = (
    "the broker's password has a one-time code in it, and no server takes that: write false; "
    "broker-session-autologin = true logs in without a password"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What one reading of the configuration has built; ``inner``: the plugins within others."""

    authenticator: Authenticator
    directory: Directory
    profiles: ProfileSource
    selector: Selector
    selectors: Mapping[str, Selector]
    agent: Agent
    store: Store
    inner: Sequence[object]
    http: tables.Http
    authid: tables.AuthId
    socket: tables.Socket
    ssh: tables.Ssh | None
    audit: tables.Audit
    keys: tables.Keys

    def plugins(self) -> Iterator[object]:
        """Every plugin, once."""
        named = (self.authenticator, self.directory, self.profiles, self.selector, self.agent)
        return iter({id(each): each for each in (*named, self.store, *self.inner)}.values())


class _Collector:
    """Builds one part after the other and keeps every fault, to tell them all at once."""

    def __init__(self, config: Config, kept: Store | None) -> None:
        self.config = config
        self.faults = [*config.faults()]
        built = self(self._build_store)
        self.store = kept or built
        self.builder = Builder({Store: lambda: self.store or self._build_store()})

    def __call__(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except ConfigError as error:
            self.faults += error.faults
            return None  # type: ignore[return-value]  # nobody sees the parts when there are faults

    def plugin(self, port: type[T]) -> T:
        """The plugin that a table of the configuration names."""
        return self(lambda: self.builder.build(port, self.config.table(KINDS[port])))

    def core(self, table: type[T]) -> T:
        """A table of the configuration that names no plugin."""
        return self(lambda: core(self.config, table))

    def _build_store(self) -> Store:
        return build(Store, self.config.table("store"))


def inspect(config: Config, store: Store | None = None) -> tuple[Parts, list[Fault]]:
    """Build every part, and tell everything that is wrong. With faults, the parts are not whole.

    ``store``: one that is there already, and stays.
    """
    made = _Collector(config, store)
    profiles = made.plugin(ProfileSource)
    parts = Parts(
        authenticator=_authenticator(made, profiles),
        directory=made.plugin(Directory),
        profiles=profiles,
        selector=made.plugin(Selector),
        selectors=_selectors(made),
        agent=made.plugin(Agent),
        store=made.store,
        inner=made.builder.inner,
        http=made.core(tables.Http),
        authid=made.core(tables.AuthId),
        socket=made.core(tables.Socket),
        ssh=made.core(tables.Ssh) if "ssh" in config else None,
        audit=made.core(tables.Audit),
        keys=made.core(tables.Keys),
    )
    for part in parts.plugins():
        if isinstance(part, Checked):
            made.faults += part.faults()
    made.faults += [*_given_away(parts), *_left_running(parts)]
    return parts, sorted({*made.faults})


def _authenticator(made: _Collector, profiles: ProfileSource) -> Authenticator:
    """A backend that checks access itself is the authenticator, unless the file names another."""
    if "authenticator" not in made.config and isinstance(profiles, Authenticator):
        return profiles
    return made.plugin(Authenticator)


def _given_away(parts: Parts) -> Iterator[Fault]:
    """Where a client would give a server the password that has let it in here, and is spent."""
    once = any(isinstance(part, OneTime) and part.one_time for part in parts.plugins())
    if once and isinstance(parts.profiles, Located):
        for path, line in parts.profiles.places("usebrokerpass", True):
            yield Fault(path, line, "usebrokerpass", _SPENT)


def _left_running(parts: Parts) -> Iterator[Fault]:
    """Where sessions should be taken over, and the agent cannot."""
    if parts.agent and not parts.agent.suspends and isinstance(parts.profiles, Located):
        for path, line in parts.profiles.places("broker-session-policy", Policy.TAKEOVER):
            yield Fault(path, line, "broker-session-policy", _LEFT_RUNNING, warning=True)


def _selectors(made: _Collector) -> Mapping[str, Selector]:
    """Every selector that a profile may ask for; but those that need options."""
    own = made.config.table("selector")
    selectors = {}
    for name in installed("selector"):
        table = own if name == own.values["type"] else replace(own, values={"type": name})
        with suppress(ConfigError):
            selectors[name] = build(Selector, table)
    return selectors


def assemble(config: Config, known: Iterable[Fault] = (), store: Store | None = None) -> Parts:
    """Build every part, with this store if one is kept. Raises ConfigError when it must not run.

    ``known``: faults that were found elsewhere. What is wrong inside a file of profiles disables
    a profile, not the daemon: the log tells of it.
    """
    parts, found = inspect(config, store)
    faults = sorted({*found, *known})
    fatal = [f for f in faults if f.fatal or f.path == config.file and not f.warning]
    if fatal:
        raise ConfigError(fatal)
    for fault in faults:
        log.log(logging.WARNING if fault.warning else logging.ERROR, "%s", fault)
    return parts
