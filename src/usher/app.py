"""The composition root: puts the parts together, runs them, stops them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import uvloop

from usher import checks
from usher.accounts import AccountMaps
from usher.assembly import Parts, assemble
from usher.audit import AuditLog, Decision
from usher.authid import AuthIds
from usher.broker import Broker
from usher.checks import blamed
from usher.config import Config, load
from usher.errors import ConfigError
from usher.farm import Farm
from usher.frontends.boundary import incident
from usher.frontends.http import HttpServer, http_app
from usher.frontends.socket import UnixSocket
from usher.frontends.tls import Certificate
from usher.keys import Keys, Outstanding, Pool
from usher.model import Reply, Request
from usher.monitor import Monitor
from usher.orders import Orders
from usher.placing import Placer
from usher.ports import Directory, ProfileSource, Worker
from usher.sessions import Sessions
from usher.tables import Audit, Http, Socket, Ssh

if TYPE_CHECKING:
    from usher.frontends.ssh import SshServer

log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
STORE_SECONDS = 2.0
THREAD_SECONDS = 1.0

LASTING = ("http", "socket", "ssh", "store", "audit", "keys")
"""The tables that a running daemon cannot change."""

Announce = Callable[[list[str]], None]
"""Told the URLs when connections are accepted."""

Listener = Callable[[Decision], None]


class Door(Protocol):
    """A way in for clients."""

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; then finish what has begun."""


class Daemon:
    """A running broker. What outlives a reload is kept here; the rest is in its parts.

    ``listener`` hears every decision, beside the audit log. Raises ConfigError.
    """

    def __init__(self, config: Config, listener: Listener | None = None) -> None:
        self._config = config
        self._parts = assemble(config, checks.start(config))
        self._farm = Farm()
        self._pool = Pool(self._parts.keys.pool)
        self._outstanding = Outstanding()
        self._accounts = AccountMaps()
        self._revoked: dict[str, float] = {}
        with blamed(config, Audit, "path"):
            self._audit = AuditLog(self._parts.audit.path) if self._parts.audit.path else None
        self._listeners = [hears for hears in (self._audit, listener) if hears]
        self._placer = self._make_placer(self._parts)
        self._broker = self._make_broker(self._parts)
        self._orders = Orders(self._parts.store, self._farm, self._revoked, self._for_orders)
        with blamed(config, Http, "certificate"):
            self._tls = _certificate(self._parts)
        self._stop = asyncio.Event()
        self._hangup = asyncio.Event()

    async def handle(self, request: Request) -> Reply:
        """Answer one request, by the configuration as it is now."""
        return await self._broker.handle(request)

    async def run(self, announce: Announce) -> None:
        """Serve until SIGTERM or SIGINT. Raises ConfigError when it cannot listen."""
        _allow_many_connections()
        gc.collect()
        gc.freeze()  # what has been built lives on
        await self._orders.refresh()
        http, unix = self._http_server(), self._unix_socket()
        with blamed(self._config, Http, "host"):
            urls = [await http.listen()]
        doors: list[Door] = [http, unix]
        if ssh := self._ssh_server():
            with blamed(self._config, Ssh, "host"):
                urls.append(await ssh.listen())
            doors.append(ssh)
        with blamed(self._config, Socket, "path"):  # last: it leaves a file
            await unix.listen()
        self._heed_signals()
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._live())]
            background.append(tasks.create_task(self._keep_up()))
            lasting = (self._audit, self._tls, self._pool)
            background += [tasks.create_task(_keep(w)) for w in lasting if w is not None]
            announce(urls)
            await asyncio.gather(*(door.run_until(self._stop) for door in doors))
            _cancel(background)

    async def _live(self) -> None:
        """Run what works in the background, for each configuration in its turn."""
        while True:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(_keep(worker)) for worker in self._workers()]
                await self._next_configuration()
                _cancel(running)

    async def _next_configuration(self) -> None:
        """Wait for a SIGHUP that brings a good configuration, and take it."""
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            if self._tls:
                self._tls.reload()
            try:
                return await self._reload()
            except ConfigError as error:
                for fault in error.faults:
                    log.error("the configuration stays as it was: %s", fault)
            except Exception as error:  # noqa: BLE001 - a broken plugin must not end the daemon
                log.error("the configuration stays as it was, by %s", incident(error, "SIGHUP"))

    async def _reload(self) -> None:
        """Take the configuration as it is now. Raises what a part of it raises."""
        config = load(self._config.file)
        parts = await asyncio.to_thread(assemble, config, (), self._parts.store)
        for name in LASTING:
            if config.table(name).values != self._config.table(name).values:
                log.warning("[%s] changes at the next start only", name)
        self._parts, self._placer = parts, self._make_placer(parts)
        self._broker = self._make_broker(parts)
        log.info("%s was read again", self._config.file)

    def _workers(self) -> Iterator[Worker]:
        yield Monitor(self._parts.agent, self._farm, self._parts.profiles)
        yield from (part for part in self._parts.plugins() if isinstance(part, Worker))

    def _make_broker(self, parts: Parts) -> Broker:
        return Broker(
            authenticator=parts.authenticator,
            directory=parts.directory,
            profiles=parts.profiles,
            placer=self._placer,
            keys=Keys(parts.agent, self._farm, self._pool, self._outstanding),
            accounts=self._accounts,
            authids=AuthIds(
                parts.store.secret("secret"),
                lifetime=parts.authid.lifetime,
                bind_address=parts.authid.bind_address,
                revoked=self._revoked,
            ),
            listener=self._hear if self._listeners else None,
        )

    def _for_orders(self) -> tuple[Placer, Directory, ProfileSource]:
        return self._placer, self._parts.directory, self._parts.profiles

    def _make_placer(self, parts: Parts) -> Placer:
        sessions = Sessions(parts.agent, self._farm)
        return Placer(parts.agent, self._farm, sessions, parts.selector, parts.selectors)

    def _hear(self, decision: Decision) -> None:
        for hears in self._listeners:
            hears(decision)

    def _http_server(self) -> HttpServer:
        options = self._parts.http
        app = http_app(self.handle, options.trusted_proxies)
        return HttpServer(app, options.host, options.port, self._tls)

    def _unix_socket(self) -> UnixSocket:
        options = self._parts.socket
        return UnixSocket(
            self.handle,
            path=options.path,
            relays=options.relays,
            admins=options.admins,
            orders=self._orders.table(),
            accounts=options.accounts,
            trust_ssh_connection=options.trust_ssh_connection,
        )

    def _ssh_server(self) -> SshServer | None:
        options = self._parts.ssh
        if options is None:
            return None
        from usher.frontends.ssh import SshServer  # slow: see there

        return SshServer(
            self.handle,
            host=options.host,
            port=options.port,
            host_keys=options.host_keys,
            authorized_keys=options.authorized_keys,
            secret=self._parts.store.secret,
        )

    async def _keep_up(self) -> None:
        """Several daemons may share a store: what one was told holds for all."""
        while True:
            await asyncio.sleep(STORE_SECONDS)
            try:
                await self._orders.refresh()
            except OSError as error:
                log.warning("the store cannot be read: %s", error)

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)


def serve(config: Config, announce: Announce, listener: Listener | None = None) -> None:
    """Run a daemon as this process until SIGTERM or SIGINT. Raises ConfigError and OSError."""
    _collect_rarely()
    # Whoever asks to reload while we begin is served by the beginning.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Python waits for its threads for ever, and one may have asked somebody who never answers.
    end = threading.Timer(THREAD_SECONDS, os._exit, [0])
    end.daemon = True
    uvloop.run(_serve(Daemon(config, listener), announce, end))
    end.cancel()


async def _serve(daemon: Daemon, announce: Announce, end: threading.Timer) -> None:
    await daemon.run(announce)
    end.start()


async def _keep(worker: Worker) -> None:
    """Run a worker for ever; one that fails is told of in the log and begins again.

    A task group that is cancelled refers to itself, and would keep all that the worker has.
    """
    while True:
        try:
            await worker.run()
        except asyncio.CancelledError as end:
            traceback.clear_frames(end.__traceback__)
            raise
        except Exception as error:  # noqa: BLE001 - a broken worker must not end the daemon
            incident(error, type(worker).__name__)
        await asyncio.sleep(RESTART_SECONDS)


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _certificate(parts: Parts) -> Certificate | None:
    certificate, key = parts.http.certificate, parts.http.key
    return Certificate(certificate, key) if certificate and key else None


def _allow_many_connections() -> None:
    """As many open files as the system lets us have: every client is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _collect_rarely() -> None:
    """Ten thousand profiles are many objects that live on: do not stop everybody to look at them.

    Nor whoever builds them. Their memory does not need the collector: nothing in them refers to
    itself.
    """
    gc.set_threshold(10_000, 20, 100)
