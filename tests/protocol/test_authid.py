"""AUTHIDs as clients meet them: rolling, bound, mortal, and never in the way of a password."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS, Answer, Daemon, running

WRONG = "not-the-password"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("authid")) as daemon:
        yield daemon


def login(daemon: Daemon, user: str = "alice", password: str = "wonder", **more: str) -> Answer:
    """Log in by password."""
    answer = daemon.post(user=user, password=password, **more)
    assert answer.granted, answer.text
    return answer


def come_back(daemon: Daemon, authid: str, user: str = "alice", **more: str) -> Answer:
    """Ask with an AUTHID and a password that does not count."""
    return daemon.post(**{"user": user, "password": WRONG, "authid": authid, **more})


def test_an_authid_can_be_sent_unescaped_and_unquoted(daemon: Daemon):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", login(daemon).authid)


def test_every_answer_brings_a_fresh_authid_and_each_of_them_counts(daemon: Daemon):
    authids = [login(daemon).authid]
    for task in ("listsessions", "selectsession", "setpass", "clientevent", ""):
        answer = come_back(daemon, authids[-1], task=task, sid="desktop")
        assert answer.granted, answer.text
        authids.append(answer.authid)
    assert len(set(authids)) == len(authids)
    assert all(come_back(daemon, authid).granted for authid in authids)


def test_a_post_that_is_sent_twice_is_answered_twice(daemon: Daemon):
    authid = login(daemon).authid
    assert come_back(daemon, authid, task="listsessions").granted
    assert come_back(daemon, authid, task="listsessions").granted


def test_ten_requests_at_once_with_one_authid_are_all_answered(daemon: Daemon):
    authid = login(daemon).authid
    with ThreadPoolExecutor(10) as clients:
        answers = [
            *clients.map(lambda _: come_back(daemon, authid, task="listsessions"), range(10))
        ]
    assert all(answer.granted for answer in answers)
    assert len({answer.authid for answer in answers}) == 10


def test_an_authid_changed_in_any_character_is_refused(daemon: Daemon):
    authid = login(daemon).authid
    for position, character in enumerate(authid):
        forged = authid[:position] + ("0" if character != "0" else "1") + authid[position + 1 :]
        assert not come_back(daemon, forged).granted, position


@pytest.mark.parametrize(
    "spelling",
    [str.upper, lambda authid: f" {authid}", lambda authid: authid[:-2], lambda authid: authid * 2],
)
def test_an_authid_in_another_spelling_is_refused(daemon: Daemon, spelling):
    assert not come_back(daemon, spelling(login(daemon).authid)).granted


def test_an_authid_of_another_user_is_refused(daemon: Daemon):
    assert not come_back(daemon, login(daemon).authid, user="bob").granted


def test_an_authid_from_another_address_is_refused(daemon: Daemon):
    authid = login(daemon).authid
    assert not come_back(daemon, authid, source="127.0.0.2").granted
    assert come_back(daemon, authid, source="127.0.0.1").granted


def test_an_authid_works_anywhere_when_the_site_says_so(tmp_path: Path):
    with running(tmp_path, authid={"bind_address": False}) as daemon:
        assert come_back(daemon, login(daemon).authid, source="127.0.0.2").granted


@pytest.mark.parametrize("authid", ["", "x", "0" * 100, "../../etc/passwd", "é", "x" * 4096])
def test_the_right_password_lets_in_whatever_the_authid_is(daemon: Daemon, authid: str):
    assert login(daemon, authid=authid).authid


def test_the_right_password_lets_in_with_somebody_elses_authid(daemon: Daemon):
    assert login(daemon, "bob", "builder", authid=login(daemon).authid).authid


def test_an_expired_authid_is_refused_however_often_it_was_renewed(tmp_path: Path):
    with running(tmp_path, authid={"lifetime": 1}) as daemon:
        last = login(daemon)
        while last.granted:
            authid = last.authid
            last = come_back(daemon, authid)
        assert not come_back(daemon, authid, task="listsessions").granted
        assert not come_back(daemon, authid, task="selectsession", sid="desktop").granted
        assert come_back(daemon, authid, task="clientevent", event="suspended").granted
        forged = authid[:-1] + ("0" if authid[-1] != "0" else "1")
        assert not come_back(daemon, forged, task="clientevent").granted
        assert login(daemon, authid=authid).authid


def test_an_authid_outlives_the_daemon(tmp_path: Path):
    with running(tmp_path) as daemon:
        authid = login(daemon).authid
    with running(tmp_path) as daemon:
        assert come_back(daemon, authid).granted


def test_an_authid_dies_with_the_secret(tmp_path: Path):
    with running(tmp_path) as daemon:
        authid = login(daemon).authid
    (tmp_path / "state" / "secret").unlink()
    with running(tmp_path) as daemon:
        assert not come_back(daemon, authid).granted


def test_revoking_ends_all_logins_of_a_user_and_of_nobody_else(tmp_path: Path):
    with running(tmp_path) as daemon:
        alices = [login(daemon).authid, login(daemon).authid]
        bobs = login(daemon, "bob", "builder").authid
        said = daemon.usher("revoke", "alice")
        assert (said.returncode, said.stderr) == (0, "")
        assert "alice" in said.stdout
        assert not any(come_back(daemon, authid).granted for authid in alices)
        assert come_back(daemon, bobs, user="bob").granted
        again = login(daemon).authid
        assert come_back(daemon, again).granted
    with running(tmp_path) as daemon:
        assert not come_back(daemon, alices[0]).granted
        assert come_back(daemon, again).granted


def test_revoking_works_without_a_daemon(tmp_path: Path):
    with running(tmp_path) as daemon:
        authid = login(daemon).authid
    said = daemon.usher("revoke", "alice")
    assert said.returncode == 0, said.stderr
    assert "No daemon" in said.stdout
    with running(tmp_path) as daemon:
        assert not come_back(daemon, authid).granted
        assert login(daemon).authid


def test_what_one_daemon_revokes_holds_at_every_daemon_of_the_store(tmp_path: Path):
    store = {"path": str(tmp_path / "shared")}
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with running(one, store=store) as first, running(other, store=store) as second:
        authid = login(first).authid
        assert come_back(second, authid).granted
        assert first.usher("revoke", "alice").returncode == 0
        deadline = time.monotonic() + DEADLINE_SECONDS
        while come_back(second, authid).granted:
            assert time.monotonic() < deadline
