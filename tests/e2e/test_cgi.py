"""usher-cgi under lighttpd: the broker behind a web server that many sites have."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import debian
import pytest
from daemon import Answer, Daemon
from e2e.desktop import Desktop
from e2e.machine import WEB_ACCOUNT, free_port, running
from e2e.offer import NAMES
from e2e.x2goclient import X2GOCLIENT, x2goclient

import usher

NEEDS = ("lighttpd", "openssh-server", *X2GOCLIENT)

CONFIG = """\
server.modules = ("mod_alias", "mod_setenv", "mod_cgi")
server.bind = "127.0.0.1"
server.port = {port}
server.username = "{account}"
server.document-root = "{folder}"
setenv.set-environment = ("USHER_SOCKET" => "{socket}")
alias.url = ("/x2gobroker.cgi" => "{folder}/usher-cgi")
cgi.assign = ("usher-cgi" => "")
"""

LIST = {"task": "listsessions", "user": "alice", "password": "wonder"}
SELECT = LIST | {"task": "selectsession", "sid": "shell"}
WRONG = LIST | {"password": "wrong"}

CASES = [
    ("/plain/", LIST, "START_USER_SESSIONS\n"),
    ("/plain/", SELECT, "SERVER:127.0.0.1:"),
    ("/plain/", WRONG, "Login failed."),
    ("/json/", LIST, '"profiles":{"'),
    ("/json/", SELECT, '"server":"127.0.0.1"'),
    ("/json/", WRONG, "Login failed."),
]


@pytest.fixture(scope="module")
def web(broker: Daemon) -> Iterator[Daemon]:
    """The same broker, as it is seen through the web server."""
    with lighttpd(broker.folder, broker.socket_path) as url:
        yield replace(broker, url=url)


@pytest.mark.parametrize(("wire", "form", "says"), CASES)
def test_answers_in_the_same_bytes_as_the_daemon(
    broker: Daemon, web: Daemon, wire: str, form: dict[str, str], says: str
) -> None:
    direct, relayed = broker.post(wire, **form), web.post(f"/x2gobroker.cgi{wire}", **form)
    assert says in direct.text
    assert relayed.status == direct.status
    assert relayed.headers["content-type"] == direct.headers["content-type"]
    assert without_authid(relayed) == without_authid(direct)


def test_takes_posts_only(web: Daemon) -> None:
    assert web.request("GET", "/x2gobroker.cgi/plain/").status == 405


def test_without_a_daemon_x2goclient_is_refused_in_words_and_not_by_an_error(
    broker: Daemon,
) -> None:
    with lighttpd(broker.folder, broker.folder / "nobody.sock") as url:
        answer = replace(broker, url=url).post("/x2gobroker.cgi/plain/", **LIST)
    assert answer.status == 200
    assert answer.text == "The broker is not running. Try again later.\n"


def test_x2goclient_logs_in_and_sees_the_profiles(screen: Desktop, web: Daemon) -> None:
    url = web.url.replace("://", "://alice@") + "x2gobroker.cgi/plain/"
    with x2goclient(screen, url) as client:
        client.login("wonder")
        assert client.names() == set(NAMES.values())


def without_authid(answer: Answer) -> str:
    """What does not differ from one answer to the next."""
    return re.sub(r'(AUTHID:|"next-authid":")[\w.-]+', r"\1", answer.text)


@contextmanager
def lighttpd(folder: Path, socket: Path) -> Iterator[str]:
    """The URL of a web server that runs usher-cgi, which asks the daemon at this socket."""
    script = folder / "usher-cgi"
    script.write_text(f"#!{debian.PYTHON}\nimport usher.cgi\nusher.cgi.main()\n")
    shutil.copytree(Path(usher.__file__).parent, folder / "usher", dirs_exist_ok=True)
    script.chmod(0o755)
    port = free_port()
    config = folder / "lighttpd.conf"
    config.write_text(CONFIG.format(port=port, account=WEB_ACCOUNT, folder=folder, socket=socket))
    with running("/usr/sbin/lighttpd", "-D", "-f", str(config)) as (_, log):
        log.wait_for("server started")
        yield f"http://127.0.0.1:{port}/"
