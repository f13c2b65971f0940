"""SIGTERM finishes what has begun; SIGHUP takes a new configuration, or keeps the old one."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from daemon import DEADLINE_SECONDS, Daemon, running, usher, write_config
from inprocess import FORM, GRANTED, post, serving

from usher.frontends.guard import PATIENCE
from usher.model import Reply, Request
from usher.ssh import ask

SLOW = """\
import asyncio, pathlib, sys

async def check_access(user, password, authid):
    print("asked for", user, file=sys.stderr, flush=True)
    while not pathlib.Path({go!r}).exists():
        await asyncio.sleep(0.01)
    return password == "wonder"

def list_profiles(user):
    return {{}}

def select_profile(user, sid):
    return None
"""


def slow(folder: Path) -> dict[str, Any]:
    """The configuration of a broker that lets nobody in before the file ``go`` is there."""
    (folder / "slow.py").write_text(SLOW.format(go=str(folder / "go")))
    return {"profiles": {"type": "python", "path": "slow.py"}, "authenticator": None}


def over_http(daemon: Daemon) -> str:
    return daemon.post(user="alice", password="wonder").text


def over_the_socket(daemon: Daemon) -> str:
    return ask(str(daemon.socket_path), "cgi plain 127.0.0.1", FORM)[2].decode()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.mark.parametrize("way", [over_http, over_the_socket])
@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_has_begun_is_answered_and_no_new_one_is_taken(
    tmp_path: Path, threads: ThreadPoolExecutor, way: Callable[[Daemon], str], order: signal.Signals
):
    tables = slow(tmp_path) | {"socket": {"relays": ["root"]}}
    with running(tmp_path, **tables) as daemon, daemon.connect() as idle:
        answer = threads.submit(way, daemon)
        daemon.log.wait_for("asked for alice")
        daemon.process.send_signal(order)
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        assert not daemon.socket_path.exists()
        (tmp_path / "go").touch()
        assert "Access granted" in answer.result(DEADLINE_SECONDS)
        assert daemon.process.wait(DEADLINE_SECONDS) == 0


@pytest.mark.parametrize("cut", [10, -10])
def test_a_request_that_has_half_arrived_is_answered(tmp_path: Path, cut: int):
    with running(tmp_path) as daemon, daemon.connect() as half, daemon.connect() as idle:
        half.sendall(post()[:cut])
        idle.sendall(post())
        assert idle.recv(10_000)
        daemon.terminate()
        while idle.recv(10_000):
            pass
        half.sendall(post()[cut:])
        assert read_all(half).endswith(GRANTED)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    said = b""
    while more := connection.recv(10_000):
        said += more
    return said


async def test_a_request_that_never_ends_does_not_hold_the_daemon(
    caplog: pytest.LogCaptureFixture,
):
    asked = asyncio.Event()

    async def never(request: Request) -> Reply:
        asked.set()
        return await asyncio.Future()

    impatient = replace(PATIENCE, stop=0.2)
    async with serving(never, patience=impatient) as served, served.client(post()) as client:
        await asked.wait()
        served.stop.set()
        said = await client.ending
    assert said.startswith(b"HTTP/1.1 200 ")  # x2goclient ends at anything else
    assert b"Access granted" not in said
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_thread_that_never_ends_does_not_hold_the_daemon(
    tmp_path: Path, threads: ThreadPoolExecutor
):
    stuck = SLOW.replace("async def", "def").replace("await asyncio.sleep(0.01)", "pass")
    tables = slow(tmp_path)
    (tmp_path / "slow.py").write_text(stuck.format(go=str(tmp_path / "go")))
    with running(tmp_path, **tables) as daemon:
        answer = threads.submit(over_http, daemon)
        daemon.log.wait_for("asked for alice")
        daemon.terminate()
        assert daemon.process.wait(DEADLINE_SECONDS) == 0
        assert "Access granted" not in answer.result(DEADLINE_SECONDS)


def test_sighup_takes_new_users_and_profiles_and_drops_nobody(
    tmp_path: Path, threads: ThreadPoolExecutor
):
    with running(tmp_path) as daemon, daemon.connect() as kept:
        assert not daemon.post(user="carol", password="sea").granted
        users = {"alice": "wonder", "carol": "sea"}
        write_config(
            tmp_path,
            profiles="[new]\nhost = ts9\n",
            authenticator={"type": "static", "users": users},
        )
        daemon.hang_up()
        daemon.log.wait_for("usher.toml was read again")
        answer = daemon.post(user="carol", password="sea", task="listsessions")
        assert "[new]" in answer.text
        assert not daemon.post(user="bob", password="builder").granted
        kept.sendall(post(FORM, b"Connection: close"))
        assert read_all(kept).endswith(GRANTED)


def test_requests_are_answered_while_the_configuration_changes(
    tmp_path: Path, threads: ThreadPoolExecutor
):
    with running(tmp_path) as daemon:
        authid = daemon.post(user="alice", password="wonder").authid

        def come_back(number: int) -> bool:
            if number % 10 == 0:
                daemon.hang_up()
            return daemon.post(user="alice", authid=authid, task="listsessions").granted

        assert all(threads.map(come_back, range(200)))
        daemon.log.wait_for("was read again")


def test_a_request_that_waits_for_the_old_configuration_gets_its_answer(
    tmp_path: Path, threads: ThreadPoolExecutor
):
    with running(tmp_path, **slow(tmp_path)) as daemon:
        answer = threads.submit(over_http, daemon)
        daemon.log.wait_for("asked for alice")
        write_config(tmp_path)
        daemon.hang_up()
        daemon.log.wait_for("was read again")
        assert daemon.post(user="bob", password="builder").granted
        (tmp_path / "go").touch()
        assert "Access granted" in answer.result(DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("find", "replacement", "told"),
    [
        ('type = "static"', 'typ = "static"', r"usher\.toml:4: authenticator\.typ"),
        ('type = "static"', 'type = "statc"', r"usher\.toml:4: authenticator\.type: .*'static'"),
        ("[directory]", "[directori]", r"usher\.toml:6: directori: .*'directory'"),
        ("port = 0", "port = zero", r"usher\.toml:2: "),
        ("port = 0", 'port = "0"', r"usher\.toml:2: http\.port: "),
    ],
)
def test_a_broken_configuration_leaves_the_old_one_and_is_told_of(
    tmp_path: Path, find: str, replacement: str, told: str
):
    with running(tmp_path) as daemon:
        good = daemon.config.read_text()
        assert find in good
        daemon.config.write_text(good.replace(find, replacement))
        daemon.hang_up()
        daemon.log.wait_for("stays as it was: .*" + told)
        assert daemon.post(user="alice", password="wonder").granted
        daemon.config.write_text(good.replace("wonder", "other"))
        daemon.hang_up()
        daemon.log.wait_for("was read again")
        assert daemon.post(user="alice", password="other").granted


def test_a_configuration_file_that_is_gone_leaves_the_old_one(tmp_path: Path):
    with running(tmp_path) as daemon:
        daemon.config.unlink()
        daemon.hang_up()
        daemon.log.wait_for(r"stays as it was: .*usher\.toml:1: file: ")
        assert daemon.post(user="alice", password="wonder").granted


def test_a_profile_file_that_is_empty_leaves_the_old_one(tmp_path: Path):
    with running(tmp_path) as daemon:
        before = daemon.post(user="alice", password="wonder", task="listsessions").text
        (tmp_path / "profiles.conf").write_text("")
        daemon.hang_up()
        daemon.log.wait_for(r"profiles\.conf:1: \[: there is no \[section\]")
        daemon.log.wait_for("was read again")
        after = daemon.post(user="alice", password="wonder", task="listsessions").text
        assert after.partition("\n")[2] == before.partition("\n")[2]


def test_what_a_running_daemon_cannot_change_is_told_of(tmp_path: Path):
    with running(tmp_path) as daemon:
        authid = daemon.post(user="alice", password="wonder").authid
        write_config(tmp_path, store={"path": "elsewhere"}, http={"port": 1})
        daemon.hang_up()
        daemon.log.wait_for(r"\[http\] changes at the next start only")
        daemon.log.wait_for(r"\[store\] changes at the next start only")
        daemon.log.wait_for("was read again")
        assert daemon.post(user="alice", authid=authid).granted
        assert daemon.usher("revoke", "alice").returncode == 0
        assert not daemon.post(user="alice", authid=authid).granted


def test_a_second_daemon_on_the_same_port_says_so_and_harms_nobody(tmp_path: Path):
    (tmp_path / "other").mkdir()
    with running(tmp_path) as daemon:
        config = write_config(tmp_path / "other", http={"port": daemon.port})
        ended = usher("serve", "-c", str(config))
        told = f"{config}:2: http.port: {daemon.port} is taken: choose another"
        assert ended.returncode == 2
        assert told in ended.stderr.splitlines()
        assert "Traceback" not in ended.stderr
        assert not list((tmp_path / "other").glob("*.sock"))
        assert daemon.post(user="alice", password="wonder").granted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_passwords_do_not_travel_in_the_clear_unless_the_configuration_says_so(
    tmp_path: Path, host: str
):
    config = write_config(tmp_path, http={"host": host})
    ended = usher("serve", "-c", str(config))
    assert ended.returncode == 2
    assert f"{config}:3: http.host: " in ended.stderr
    assert "plaintext = true" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_plaintext_it_listens_everywhere(tmp_path: Path):
    with running(tmp_path, http={"host": "0.0.0.0", "plaintext": True}) as daemon:
        assert daemon.url.startswith("http://0.0.0.0:")
        assert daemon.post(user="alice", password="wonder").granted
