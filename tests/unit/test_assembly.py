"""Which faults keep a daemon from its work, and which cost only what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from usher.assembly import assemble, inspect
from usher.config import load
from usher.errors import ConfigError

CONFIGURATION = """\
[authenticator]
type = "htpasswd"
path = "users"
[profiles]
type = "inifile"
path = "profiles.conf"
[agent]
type = "none"
[store]
type = "sqlite"
path = "store"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "usher.toml").write_text(CONFIGURATION)
    (tmp_path / "users").write_text("alice:{SSHA}x\n")
    (tmp_path / "profiles.conf").write_text("[a]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("profiles.conf", "[a]\nfile\n"),
        ("profiles.conf", "[a]\nwidth = wide\n"),
        ("profiles.conf", ""),
        ("users", "file:x\n"),
    ],
)
def test_a_fault_inside_a_file_is_logged_and_no_more(folder, caplog, name, text):
    (folder / name).write_text(text)
    assert assemble(load(folder / "usher.toml"))
    assert f"{folder / name}:" in caplog.text


def test_a_file_that_is_not_there_keeps_the_daemon_from_its_work(folder):
    (folder / "profiles.conf").unlink()
    with pytest.raises(ConfigError, match=r"profiles\.conf:1: file: cannot be read"):
        assemble(load(folder / "usher.toml"))


@pytest.mark.parametrize("text", ["[DEFAULT\n[a]\n", "acl-users-allow = x\n[a]\n"])
def test_profiles_that_may_have_lost_their_rules_keep_the_daemon_from_its_work(folder, text):
    (folder / "profiles.conf").write_text(text)
    with pytest.raises(ConfigError, match=r"profiles\.conf:1: .*not taken"):
        assemble(load(folder / "usher.toml"))


TOTP = """\
[authenticator]
type = "totp"
inner = { type = "htpasswd", path = "users" }
"""


def faults_of(folder: Path, profiles: str, authenticator: str = TOTP) -> list[str]:
    """Everything wrong with these profiles behind that authenticator, by file and line."""
    (folder / "profiles.conf").write_text(profiles)
    text = CONFIGURATION.partition("[profiles]")
    (folder / "usher.toml").write_text(authenticator + text[1] + text[2])
    _, faults = inspect(load(folder / "usher.toml"))
    return [str(fault).removeprefix(f"{folder}/") for fault in faults]


def test_what_a_plugin_holds_is_checked_as_well(folder):
    assert any("users:1: alice: neither argon2" in told for told in faults_of(folder, "[a]\n"))


def test_a_password_that_lets_in_once_must_not_go_to_a_server(folder):
    (folder / "users").write_text("")
    profiles = "[DEFAULT]\nhost = ts1\n[a]\nusebrokerpass = true\n[b]\nusebrokerpass = false\n"
    (told,) = faults_of(folder, profiles)
    assert told.startswith("profiles.conf:4: usebrokerpass: the broker's password has a one-time")
    inherited = faults_of(folder, "[DEFAULT]\nhost = ts1\nusebrokerpass = 1\n[a]\nname = A\n")
    assert [told.partition(" ")[0] for told in inherited] == ["profiles.conf:3:"]


def test_any_other_password_may_go_to_a_server(folder):
    (folder / "users").write_text("")
    htpasswd = '[authenticator]\ntype = "htpasswd"\npath = "users"\n'
    assert not faults_of(folder, "[a]\nhost = ts1\nusebrokerpass = true\n", htpasswd)


def test_a_store_that_is_broken_is_told_once_and_the_rest_as_well(folder):
    (folder / "store").write_text("")
    told = faults_of(folder, "[a]\nwidth = wide\n")
    assert sum("store.path: " in line for line in told) == 1
    assert any("profiles.conf:2: width: " in line for line in told)


def test_an_agent_that_cannot_suspend_takes_nothing_over(folder):
    (folder / "users").write_text("")
    profiles = "[a]\nhost = ts1\nbroker-session-policy = takeover\n"
    (told,) = faults_of(folder, profiles)
    assert told.startswith("profiles.conf:3: broker-session-policy: warning: this agent cannot")
    assert not faults_of(folder, profiles.replace("takeover", "choose"))


def test_a_bad_line_in_a_map_of_accounts_is_told_with_its_file(folder):
    (folder / "users").write_text("")
    (folder / "accounts").write_text("alice = a.smith\nbob\n")
    profiles = f"[a]\nhost = ts1\nbroker-login-map = {folder}/accounts\n"
    (told,) = faults_of(folder, profiles)
    assert told == "accounts:2: 'bob': cannot be read: write broker-user = server-user"
    (folder / "accounts").unlink()
    assert "accounts:1: file: cannot be read" in faults_of(folder, profiles)[0]
