"""What would stop the next start is found beforehand; what is no fault of the file is not."""

from __future__ import annotations

import errno
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from authority import Authority

from usher import checks
from usher.checks import blamed, start
from usher.config import Config, load
from usher.errors import ConfigError
from usher.tables import Audit, Http


def config_of(folder: Path, text: str) -> Config:
    """This text as a configuration, with a socket that can be made unless it names another."""
    path = folder / "usher.toml"
    path.write_text(text if "[socket]" in text else f'{text}\n[socket]\npath = "s"\n')
    return load(path)


def faults_of(folder: Path, text: str) -> list[str]:
    """What keeps it from starting, without the path of the file."""
    file = f"{folder / 'usher.toml'}:"
    return [str(fault).removeprefix(file) for fault in start(config_of(folder, text))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a good certificate, a file, a folder and a pipe in it."""
    authority = Authority(tmp_path)
    authority.certificate.rename(tmp_path / "cert")
    authority.key.rename(tmp_path / "key")
    (tmp_path / "file").write_text("nonsense")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


PAIR = '[http]\ncertificate = "{}"\nkey = "{}"'
FAULTS = [
    (PAIR.format("gone", "key"), "2: http.certificate: {}/gone: No such file or directory"),
    (PAIR.format("cert", "gone"), "3: http.key: {}/gone: No such file or directory"),
    (PAIR.format("folder", "key"), "2: http.certificate: {}/folder: is no file"),
    (PAIR.format("cert", "pipe"), "3: http.key: {}/pipe: is no file"),
    (PAIR.format("file", "key"), "2: http.certificate: {}/file: certificate and key do not fit"),
    (PAIR.format("cert", "file"), "2: http.certificate: {}/cert: certificate and key do not fit"),
    ('[http]\nhost = "203.0.113.1"\nplaintext = true', "2: http.host: 203.0.113.1 is no address"),
    ('[http]\nhost = "a..b"\nplaintext = true', "2: http.host: a..b cannot be resolved: "),
    ('[socket]\npath = "file"', "2: socket.path: {}/file: is not a socket: choose another path"),
    ('[socket]\npath = "file/s"', "2: socket.path: {}/file/s: {}/file is no folder"),
    (f'[socket]\npath = "{"x" * 108}"', "2: socket.path: {}/xxx"),
    ('[ssh]\nhost = "203.0.113.1"', "2: ssh.host: 203.0.113.1 is no address"),
    ('[ssh]\nhost_keys = ["gone"]', "2: ssh.host_keys: {}/gone: No such file or directory"),
    ('[ssh]\nhost_keys = ["key"]', "2: ssh.host_keys: {}/key: is open to everybody: chmod o="),
    ("[http]\nport = 8171\n[ssh]\nport = 8171", "4: ssh.port: 8171 is the port of [http]: choose"),
    ('[ssh]\nauthorized_keys = "file"', "2: ssh.authorized_keys: {}/file: is no folder"),
    ('[ssh]\nauthorized_keys = "gone"', "2: ssh.authorized_keys: {}/gone: No such file"),
    ('[audit]\npath = "folder"', "2: audit.path: {}/folder: is no file"),
    ('[audit]\npath = "file/audit.log"', "2: audit.path: {}/file/audit.log: {}/file is no folder"),
    (
        '[socket]\npath = "s"\nrelays = ["nosuchuser"]',
        "3: socket.relays: warning: there is no account 'nosuchuser' here",
    ),
    (
        '[socket]\npath = "s"\nadmins = ["root", "nosuchuser"]',
        "3: socket.admins: warning: there is no account 'nosuchuser' here",
    ),
]


@pytest.mark.parametrize(("text", "told"), FAULTS)
def test_what_would_stop_the_start_is_told_and_nothing_is_made(folder: Path, text: str, told: str):
    config_of(folder, text)
    before = sorted(folder.rglob("*"))
    found = faults_of(folder, text)
    assert len(found) == 1, found
    assert found[0].startswith(told.replace("{}", str(folder)))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        PAIR.format("cert", "key"),
        '[http]\nhost = "::"\nplaintext = true',
        '[http]\nhost = "localhost"',
        '[audit]\npath = "new/folder/audit.log"',
        '[audit]\npath = "file"',
        "[ssh]\n",
        '[ssh]\nauthorized_keys = "folder"',
        '[socket]\npath = "new/folder/s"\nadmins = ["root"]',
    ],
)
def test_what_can_start_has_no_fault(folder: Path, text: str):
    assert faults_of(folder, text) == []


def test_a_certificate_that_has_ended_is_a_warning(folder: Path):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    made = trustme.CA().issue_cert("127.0.0.1", not_after=yesterday)
    (folder / "both").write_bytes(made.private_key_and_cert_chain_pem.bytes())
    (folder / "both").chmod(0o600)
    (told,) = faults_of(folder, PAIR.format("both", "both"))
    assert f"both ended on {yesterday:%Y-%m-%d}, and clients refuse it: renew it" in told
    assert "warning" in told


def test_a_port_that_the_running_daemon_has_is_no_fault(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as daemon:
        port = daemon.getsockname()[1]
        assert faults_of(tmp_path, f"[http]\nport = {port}") == []


def test_what_the_file_itself_gets_wrong_is_told_as_well(tmp_path: Path):
    assert "3: http.port: 70000 is no port: choose one from 0 to 65535" in faults_of(
        tmp_path, "[http]\n\nport = 70000"
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EADDRINUSE, "x"), "3: http.port: 443 is taken: choose another"),
        (OSError(errno.EACCES, "x"), "3: http.port: 443 needs CAP_NET_BIND_SERVICE: see admin.md"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "2: http.host: h is no address of this machine"),
        (socket.gaierror(-2, "unknown"), "2: http.host: h cannot be resolved: "),
        (OSError("something new"), "2: http.host: something new"),
    ],
)
def test_an_address_that_cannot_be_listened_at_brings_the_remedy(
    tmp_path: Path, error: OSError, told: str
):
    config = config_of(tmp_path, '[http]\nhost = "h"\nport = 443\nplaintext = true\n')
    with pytest.raises(ConfigError, match=f"usher.toml:{told}"), blamed(config, Http, "host"):
        raise error


def test_an_error_that_names_no_file_is_blamed_on_the_option_that_was_in_use(tmp_path: Path):
    config = config_of(tmp_path, "[audit]\npath = 'a'\n")
    with pytest.raises(ConfigError, match="2: audit.path: full"), blamed(config, Audit, "path"):
        raise OSError("full")


def test_a_host_is_not_looked_up_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def never(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(checks.socket, "getaddrinfo", never)
    [told] = faults_of(tmp_path, '[http]\nhost = "broker.example.org"\nplaintext = true')
    assert "broker.example.org cannot be resolved" in told
    assert asked == ["broker.example.org"]
