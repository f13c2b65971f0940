"""One-time codes at a real broker, from the enrolment to the last one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import DEADLINE_SECONDS, Answer, Daemon, running, usher, write_config
from phone import TOTP, Phone, enroll
from sshclients import LIST, Door, door


def login(daemon: Daemon, password: str, *, source: str = "", authid: str = "") -> Answer:
    form = {"task": "listsessions", "user": "alice", "password": password, "authid": authid}
    return daemon.post(source=source, **form)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("totp"), authenticator=TOTP) as daemon:
        yield daemon


def test_password_and_code_let_in_and_the_authid_does_afterwards(daemon: Daemon):
    password = "wonder" + enroll(daemon).code()
    first = login(daemon, password)
    assert first.granted
    selected = daemon.post(
        task="selectsession", sid="desktop", user="alice", password=password, authid=first.authid
    )
    assert "SERVER:ts1.example.org:22\n" in selected.text
    assert login(daemon, password, authid=first.authid).granted


def test_a_login_that_is_sent_again_is_the_same_and_from_elsewhere_it_is_none(daemon: Daemon):
    password = "wonder" + enroll(daemon).code()
    assert login(daemon, password).granted
    assert login(daemon, password).granted
    assert not login(daemon, password, source="127.0.0.2").granted
    assert login(daemon, password).granted


def test_wrong_passwords_and_wrong_codes_are_refused_alike(daemon: Daemon):
    code = enroll(daemon).code()
    answers = [login(daemon, wrong).text for wrong in (f"wander{code}", "wonderabcdef", "wonder")]
    assert {*answers} == {"Login failed.\n"}
    for wrong in (f"wander{code}", "wonder"):
        refused = daemon.post("/json/", task="listsessions", user="alice", password=wrong)
        assert refused.status == 401


def test_a_recovery_code_lets_in_once(daemon: Daemon):
    password = "wonder" + enroll(daemon).recovery[7]
    assert login(daemon, password).granted
    assert not login(daemon, password, source="127.0.0.2").granted


def test_who_is_not_enrolled_is_told_what_to_do_and_so_is_the_administrator(daemon: Daemon):
    refused = daemon.post(task="listsessions", user="bob", password="builder")
    assert not refused.granted
    assert refused.text.startswith("Your account has no one-time codes yet.")
    daemon.log.wait_for(r"refused 'bob' at .*: usher totp enroll bob$")


def test_the_commands_say_who_is_enrolled_and_ask_before_they_replace(daemon: Daemon):
    enroll(daemon)
    assert daemon.usher("totp").stdout == "alice\n"
    command = [sys.executable, "-m", "usher.cli", "totp", "enroll", "-c", str(daemon.config)]

    def answered(answer: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "alice"],
            input=answer,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )

    for no in ("", "n\n", "\n"):
        assert answered(no).stdout.endswith("Nothing was changed.\n")
    new = Phone(answered("y\n").stdout)
    assert login(daemon, "wonder" + new.code()).granted
    assert daemon.usher("totp", "remove", "alice").stdout == "alice is not enrolled any more.\n"
    assert daemon.usher("totp", "list").stdout == ""
    again = daemon.usher("totp", "remove", "alice")
    assert (again.returncode, again.stderr) == (1, "usher: alice is not enrolled\n")
    assert daemon.usher("totp", "enroll").returncode == 2


def test_a_spent_code_stays_spent_after_a_restart_and_at_every_daemon_of_the_store(tmp_path: Path):
    with running(tmp_path, authenticator=TOTP) as daemon:
        password = "wonder" + enroll(daemon).code()
        assert login(daemon, password).granted
    other = tmp_path / "other"
    other.mkdir()
    store = {"type": "sqlite", "path": str(tmp_path / "state")}
    with (
        running(tmp_path, authenticator=TOTP) as daemon,
        running(other, authenticator=TOTP, store=store) as second,
    ):
        for broker in (daemon, second):
            assert not login(broker, password, source="127.0.0.2").granted
            assert login(broker, password).granted


def test_where_no_daemon_has_ever_run_nobody_can_be_enrolled_and_nothing_is_made(tmp_path: Path):
    config = write_config(tmp_path, authenticator=TOTP)
    before = sorted(tmp_path.rglob("*"))
    assert usher("totp", "-c", str(config)).stdout == ""
    ended = usher("totp", "-c", str(config), "enroll", "alice")
    assert ended.returncode == 1
    assert "there is nothing to change" in ended.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with door(tmp_path_factory.mktemp("ssh"), authenticator=TOTP) as made:
        yield made


@pytest.mark.skipif(not shutil.which("ssh"), reason="openssh-client is not installed")
def test_over_ssh_the_code_is_asked_for(at: Door):
    code = enroll(at.daemon).code()
    asked = "PreferredAuthentications=keyboard-interactive"
    refused = at.ssh(LIST, code="wrong", options=asked)
    assert (refused.returncode, refused.stdout) == (255, "")
    listed = at.ssh(LIST, code=code, options=asked)
    assert "[desktop]" in listed.stdout, listed.stderr


@pytest.mark.skipif(not shutil.which("ssh"), reason="openssh-client is not installed")
def test_over_ssh_it_may_stand_behind_the_password_where_that_is_all_there_is(at: Door):
    password = "wonder" + enroll(at.daemon).code()
    listed = at.ssh(LIST, answers=password, options="PreferredAuthentications=password")
    assert "[desktop]" in listed.stdout, listed.stderr
