"""TLS: certificates that change under open connections, and clients that are none."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from authority import Authority
from daemon import DEADLINE_SECONDS, running, usher, write_config
from inprocess import GRANTED, post, serving

from usher.frontends.guard import PATIENCE
from usher.frontends.tls import Certificate

RSA, ECDSA = trustme.KeyType.RSA, trustme.KeyType.ECDSA


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def shown(host: str, port: int, context: ssl.SSLContext, name: str | None = "127.0.0.1") -> bytes:
    """The certificate that a new connection is shown."""
    with socket.create_connection((host, port), DEADLINE_SECONDS) as raw:
        context.check_hostname = name is not None
        with context.wrap_socket(raw, server_hostname=name) as connection:
            return connection.getpeercert(binary_form=True) or b""


def ask(connection: socket.socket) -> None:
    """Log in on a connection that stays open."""
    connection.sendall(post())
    said = b""
    while not said.endswith(GRANTED):
        more = connection.recv(10_000)
        assert more
        said += more


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("old", "new"), [(RSA, ECDSA), (ECDSA, RSA), (ECDSA, ECDSA)])
def test_a_new_certificate_serves_new_connections_and_the_old_ones_stay_open(
    tmp_path: Path,
    authority: Authority,
    version: ssl.TLSVersion,
    old: trustme.KeyType,
    new: trustme.KeyType,
):
    authority.issue(old)
    context = authority.client(version)
    with running(tmp_path, tls=context, **authority.tables()) as daemon:
        before = shown(daemon.host, daemon.port, context)
        with daemon.connect() as kept:
            ask(kept)
            authority.issue(new)
            daemon.log.wait_for("new connections get the certificate")
            after = shown(daemon.host, daemon.port, context)
            assert after != before
            assert shown(daemon.host, daemon.port, context, name=None) == after
            ask(kept)
            assert kept.getpeercert(binary_form=True) == before
        assert daemon.post(user="alice", password="wonder").granted


def test_a_certificate_that_cannot_be_used_leaves_the_old_one(tmp_path: Path, authority: Authority):
    context = authority.client()
    with running(tmp_path, tls=context, **authority.tables()) as daemon:
        before = shown(daemon.host, daemon.port, context)
        authority.certificate.write_text("half a certif")
        daemon.log.wait_for("the new certificate .*cert.pem cannot be used")
        assert shown(daemon.host, daemon.port, context) == before
        authority.key.unlink()
        daemon.hang_up()
        daemon.log.wait_for("was read again|stays as it was")
        assert shown(daemon.host, daemon.port, context) == before
        authority.issue()
        daemon.log.wait_for("new connections get the certificate")
        assert shown(daemon.host, daemon.port, context) != before


def test_a_certificate_is_read_again_at_once_on_sighup(tmp_path: Path, authority: Authority):
    with running(tmp_path, tls=authority.client(), **authority.tables()) as daemon:
        before = shown(daemon.host, daemon.port, authority.client())
        authority.issue()
        daemon.hang_up()
        daemon.log.wait_for("was read again")
        assert shown(daemon.host, daemon.port, authority.client()) != before


@pytest.mark.parametrize("broken", ["certificate", "key"])
def test_a_daemon_does_not_start_with_a_certificate_it_cannot_use(
    tmp_path: Path, authority: Authority, broken: str
):
    getattr(authority, broken).write_text("nonsense")
    config = write_config(tmp_path, **authority.tables())
    ended = usher("serve", "-c", str(config))
    assert ended.returncode == 2
    assert f"{config}:3: http.certificate: " in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_handshake_that_is_never_made_is_cut_off(authority: Authority):
    certificate = Certificate(authority.certificate, authority.key)
    impatient = replace(PATIENCE, header=0.2)
    async with serving(tls=certificate, patience=impatient) as served:
        for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            async with served.client(sent) as client:
                assert await client.ending == b""


async def test_a_client_without_tls_learns_nothing_and_is_no_news(
    authority: Authority, caplog: pytest.LogCaptureFixture
):
    certificate = Certificate(authority.certificate, authority.key)
    async with serving(tls=certificate) as served:
        assert GRANTED not in await served.exchange(post())
    assert [record for record in caplog.records if record.levelname != "INFO"] == []


async def test_a_client_that_does_not_say_goodbye_does_not_hold_the_daemon(authority: Authority):
    certificate = Certificate(authority.certificate, authority.key)
    impatient = replace(PATIENCE, refusal=0.2, stop=60)
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with serving(tls=certificate, patience=impatient) as served:
            reader, writer = await asyncio.open_connection(
                served.host, served.port, ssl=authority.client()
            )
            writer.write(post())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            writer.transport.pause_reading()
            served.stop.set()
            while served.server.server_state.connections:
                await asyncio.sleep(0)
    writer.transport.abort()
