"""What python-x2go makes of what we write; the library itself is asked."""

from __future__ import annotations

import json as stdlib_json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from debian import PYTHON, need

from usher.errors import AuthFailed
from usher.model import (
    AuthId,
    Credential,
    Profile,
    Reply,
    Request,
    Selection,
    Server,
    Task,
    User,
    client_at,
)
from usher.options import EXPLICIT_IN_JSON, KEYS, Kind, Missing
from usher.wire import json
from usher.wire.answer import Answer

# What x2goclient assumes of every key, and once more under the same name: nothing may be lost.
OPTIONS = {
    name: key.python_x2go
    for name, key in KEYS.items()
    if not isinstance(key.python_x2go, Missing) and key.kind is not Kind.EXPORT and name != "host"
}
PROFILES = (
    Profile("alpha", (Server("ts1", "192.0.2.11"), Server("ts2", "ts2")), {"name": "Büro"}),
    Profile("beta", (), {"name": "Büro", "status": "R", "usebrokerpass": True}),
    Profile("gamma", (), {**OPTIONS, "export": "/home:1;/tmp:0;", "user": "BROKER_USER"}),
)

_CLIENT = r"""
import json, sys
from x2go.backends.profiles.httpbroker import X2GoSessionProfiles

profiles = X2GoSessionProfiles(broker_url=sys.argv[1], broker_password=sys.argv[2], loglevel=0)
found = {id: profiles.get_profile_config(profile_id=id) for id in profiles.profile_ids}
servers = {id: [profiles.get_server_hostname(id), profiles.get_server_port(id)] for id in found}
json.dump({"profiles": found, "servers": servers}, sys.stdout)
"""


class Handler(BaseHTTPRequestHandler):
    """Answers as a broker would whose only user is alice."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[Request]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.read(body, client_at(self.client_address[0]))
        self.seen.append(request)
        answer = _answer(request)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def _answer(request: Request) -> Answer:
    assert isinstance(request.credential, Credential)
    if "wrong" in request.credential.password:
        return json.refuse(request.task, AuthFailed())
    selection = Selection(Server("ts6", "2001:db8::6", 2222))
    return json.write(
        Reply(
            request.task,
            User("alice"),
            AuthId("0123abcd"),
            PROFILES if request.task is Task.LIST else (),
            selection if request.task is Task.SELECT else None,
            profile_id=request.profile_id,
        )
    )


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    need("x2go", "python3-x2go", "that python-x2go reads what we write")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://alice@127.0.0.1:{server.server_port}/json/"
        server.shutdown()


def ask(url: str, password: str) -> Any:
    done = subprocess.run(
        [PYTHON, "-c", _CLIENT, url, password], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return stdlib_json.loads(done.stdout)


@pytest.fixture(scope="module")
def told(url: str) -> Any:
    return ask(url, "wonder")


def test_python_x2go_gets_every_profile_under_a_name_of_its_own(told: Any) -> None:
    assert {id: profile["name"] for id, profile in told["profiles"].items()} == {
        "alpha": "Büro",
        "beta": "Büro (2)",
        "gamma": "NEW_PROFILE",
    }


def test_python_x2go_assumes_what_x2goclient_does(told: Any) -> None:
    assumed = {
        name: KEYS[name].x2goclient
        for name in EXPLICIT_IN_JSON
        if not isinstance(KEYS[name].x2goclient, Missing)
    }
    expected = {**assumed, "name": "Büro", "host": ["ts1", "ts2"], "export": {}, "user": ""}
    seen = told["profiles"]["alpha"]
    assert {name: seen[name] for name in expected} == expected


def test_python_x2go_gets_every_option_it_knows_in_its_own_type(told: Any) -> None:
    seen = told["profiles"]["gamma"]
    expected = {
        **{name: list(v) if isinstance(v, tuple) else v for name, v in OPTIONS.items()},
        "export": {"/home": True, "/tmp": False},
        "user": "alice",
        "host": [],
    }
    assert {name: seen[name] for name in expected} == expected
    assert set(seen) == set(expected)


def test_python_x2go_goes_to_the_server_it_is_sent_to(told: Any) -> None:
    assert told["servers"]["alpha"] == ["2001:db8::6", 2222]
    asked = [request for request in Handler.seen if request.profile_id == "alpha"]
    assert asked[0].public_key.split()[1] == "ssh-rsa"


def test_python_x2go_takes_a_refusal_for_what_it_is(url: str) -> None:
    assert ask(url, "wrong") == {"profiles": {}, "servers": {}}
