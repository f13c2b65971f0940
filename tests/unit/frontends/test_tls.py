"""Certificates that are read again, without a network."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import pytest
from authority import Authority

from usher.frontends import tls
from usher.frontends.tls import Certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def certificate(authority: Authority) -> Certificate:
    return Certificate(authority.certificate, authority.key)


def shown(certificate: Certificate, authority: Authority) -> bytes:
    """The certificate in a handshake that is made in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    client = authority.client().wrap_bio(to_client, to_server, server_hostname="localhost")
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.getpeercert(binary_form=True) or b""


def test_new_files_serve_when_they_are_read_again(certificate: Certificate, authority: Authority):
    before = shown(certificate, authority)
    authority.issue()
    assert shown(certificate, authority) == before
    certificate.reload()
    assert shown(certificate, authority) != before


@pytest.mark.parametrize("broken", ["certificate", "key"])
@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_files_that_cannot_be_used_leave_what_there_is(
    certificate: Certificate,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    broken: str,
    content: bytes | None,
):
    before = shown(certificate, authority)
    path: Path = getattr(authority, broken)
    path.unlink() if content is None else path.write_bytes(content)
    certificate.reload()
    assert shown(certificate, authority) == before
    assert "cannot be used" in caplog.text


def test_a_certificate_without_its_key_leaves_what_there_is(
    certificate: Certificate, authority: Authority, tmp_path: Path
):
    before, key = shown(certificate, authority), authority.key.read_bytes()
    authority.issue()
    authority.key.write_bytes(key)
    certificate.reload()
    assert shown(certificate, authority) == before


@pytest.mark.parametrize("broken", ["certificate", "key"])
def test_at_the_start_both_files_must_be_of_use(authority: Authority, broken: str):
    getattr(authority, broken).write_bytes(b"nonsense")
    with pytest.raises(OSError):
        Certificate(authority.certificate, authority.key)


async def test_files_that_change_are_noticed_and_others_are_not_read(
    certificate: Certificate,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(tls, "PERIOD_SECONDS", 0)
    caplog.set_level("INFO")
    before = shown(certificate, authority)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(certificate.run())
        for _ in range(10):
            await asyncio.sleep(0)
        assert caplog.records == []
        os.utime(authority.key)
        while not caplog.records:
            await asyncio.sleep(0)
        authority.issue()
        while shown(certificate, authority) == before:
            await asyncio.sleep(0)
        watching.cancel()
