"""Which faults keep a daemon from its work, and which cost only what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from usher.assembly import assemble
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
