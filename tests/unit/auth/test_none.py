"""Believes everybody, and says so."""

from __future__ import annotations

import logging

import pytest

from usher.auth.none import Nobody
from usher.model import Credential, client_at
from usher.ports import Authenticator

HERE = client_at("192.0.2.1")


def test_it_says_loudly_at_the_start_what_it_means(caplog):
    assert isinstance(Nobody(), Authenticator)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "NOBODY IS ASKED FOR A PASSWORD" in caplog.text


@pytest.mark.parametrize(
    ("username", "believed"),
    [("maja", "maja"), ("jürgen müller", "jürgen müller"), ("", "anonymous")],
)
async def test_every_name_is_believed(username, believed):
    assert await Nobody().authenticate(Credential(username, "anything"), HERE) == believed
