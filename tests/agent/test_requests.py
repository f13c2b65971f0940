"""What the agent understands, what it refuses, and that nothing can make it stumble."""

from __future__ import annotations

import ast
import base64
import json
import struct
from types import ModuleType
from typing import Any

import pytest
from agentbox import SOURCE, loaded
from hypothesis import given
from hypothesis import strategies as st

SESSION = "alice-50-1795414336_stRxterm_dp24"
# Every module is older than Python 3.6.
MODULES = (
    "base64 configparser contextlib fcntl grp ipaddress json os pwd re select signal socket stat "
    "struct subprocess syslog tempfile time"
)


def blob(*parts: bytes) -> str:
    """The inside of a public key."""
    packed = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return base64.b64encode(packed).decode()


RSA = "ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xa5" * 256)
ED25519 = "ssh-ed25519 " + blob(b"ssh-ed25519", b"k" * 32)
AUTHORIZE: dict[str, Any] = {
    "id": 1,
    "verb": "authorize",
    "user": "alice",
    "key": RSA,
    "seconds": 60,
    "from": None,
    "permitopen": "localhost:*",
    "pty": False,
}


def line(request: object) -> bytes:
    return json.dumps(request).encode()


def test_it_is_written_for_python_3_6_and_its_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(isinstance(node, ast.Import) for node in imports)
    names = {alias.name for node in imports for alias in node.names}
    assert names == set(MODULES.split())


def test_it_takes_nothing_from_its_environment_or_arguments() -> None:
    source = SOURCE.read_text()
    assert source.startswith("#!/usr/bin/python3 -I\n")
    assert "sys.argv" not in source
    assert "getenv" not in source
    assert source.count("environ") == 1, "the one that forgets TZ"
    assert "shell=True" not in source


@pytest.mark.parametrize(
    "request_",
    [
        AUTHORIZE,
        AUTHORIZE | {"from": "203.0.113.7", "permitopen": "ts1.example.org:22", "pty": True},
        AUTHORIZE | {"from": "2001:db8::7", "permitopen": "[2001:db8::1]:22", "seconds": 3600},
        AUTHORIZE | {"user": "alice.b@example.org", "key": ED25519},
        {"id": 0, "verb": "ping"},
        {"id": 2, "verb": "withdraw", "user": "alice", "key": RSA},
        {"id": 3, "verb": "suspend", "session": SESSION},
        {"id": 3, "verb": "terminate", "session": "a.b-c@d-5000-1795414336_stDGNOME_dp32"},
    ],
    ids=str,
)
def test_a_good_request_is_understood_word_for_word(
    agent: ModuleType, request_: dict[str, Any]
) -> None:
    assert agent.understand(line(request_)) == request_


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        ({"from": "::ffff:203.0.113.7"}, {"from": "203.0.113.7"}),
        ({"from": "2001:DB8:0::7"}, {"from": "2001:db8::7"}),
        ({"key": RSA + " alice@laptop, her own"}, {"key": RSA}),
    ],
    ids=str,
)
def test_addresses_and_keys_are_written_anew(
    agent: ModuleType, given_: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert agent.understand(line(AUTHORIZE | given_)) == AUTHORIZE | meant


USERS = ["", "-alice", ".", "..", "../root", "a/b", "al ice", "alice\n", "a" * 65, "älice", "a$", 7]
KEYS = [
    "",
    "ssh-rsa",
    RSA + "\n",
    RSA + "\n" + RSA,
    " " + RSA,
    RSA.replace(" ", "  "),
    'command="id" ' + RSA,
    "ssh-dss " + blob(b"ssh-dss", b"p", b"q", b"g", b"y"),
    "ssh-rsa " + blob(b"ssh-ed25519", b"k" * 32),
    "ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1"),
    "ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1", b"n", b"more"),
    "ssh-rsa " + RSA.split()[1][:-8],
    "ssh-rsa " + blob(b"ssh-rsa")[:-4],
    "ssh-rsa !!!!",
    "ssh-rsa AAAA=",
    RSA + " comment\0",
    None,
    ["ssh-rsa"],
]
SOURCES = ["", "*", "10.0.0.0/8", "!10.0.0.1", "10.0.0.1,*", "client", 1, "fe80::1%eth0"]
SOURCES += ['fe80::1%",command="id']
TARGETS = ["", "*:*", "*", "localhost", "localhost:", "ts1:*", "ts1:0", "ts1:65536", "ts1:022"]
TARGETS += [
    'localhost:1",command="id',
    "a b:22",
    "ts1:22,*:*",
    "ts1:22,",
    "ts1:22,localhost:*",
    "-ts1:22",
    None,
    22,
]
SESSIONS = ["", "alice", SESSION + ";id", SESSION + "\n", "-" + SESSION, "$(id)-50-1795414336_a"]
SESSIONS += ["../" + SESSION, SESSION + "/..", "alice-50-1795414336_", f"{SESSION} x", None, 50]
SECONDS = [0, -1, 3601, 60.0, "60", True, None, 10**400]
PTY = [0, 1, None, "false"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("user", value) for value in USERS),
        *(("key", value) for value in KEYS),
        *(("from", value) for value in SOURCES),
        *(("permitopen", value) for value in TARGETS),
        *(("seconds", value) for value in SECONDS),
        *(("pty", value) for value in PTY),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_field_outside_its_grammar_refuses_the_whole_request(
    agent: ModuleType, field: str, value: object
) -> None:
    with pytest.raises(agent.Refused, match=f"'{field}'|not a JSON object") as refused:
        agent.understand(line(AUTHORIZE | {field: value}))
    assert refused.value.number in (1, None)


@pytest.mark.parametrize("session", SESSIONS, ids=repr)
def test_a_session_id_is_never_a_path_or_a_shell_word(agent: ModuleType, session: object) -> None:
    with pytest.raises(agent.Refused, match="'session'"):
        agent.understand(line({"id": 4, "verb": "terminate", "session": session}))


@pytest.mark.parametrize(
    ("said", "number", "why"),
    [
        (b"", None, "JSON object"),
        (b"ping", None, "JSON object"),
        (b"[]", None, "JSON object"),
        (b'"ping"', None, "JSON object"),
        (b"\xff{}", None, "JSON object"),
        (b'{"id": 1, "verb": "ping"', None, "JSON object"),
        (b'{"id": 1, "id": 2, "verb": "ping"}', None, "JSON object"),
        (b"[" * 60_000, None, "JSON object"),
        (b'{"a":' * 10_000, None, "JSON object"),
        (None, None, "too long"),
        (b"{}", None, "no id"),
        (b'{"verb": "ping"}', None, "no id"),
        (b'{"id": true, "verb": "ping"}', None, "no id"),
        (b'{"id": "1", "verb": "ping"}', None, "no id"),
        (b'{"id": -1, "verb": "ping"}', None, "no id"),
        (b'{"id": 1e3, "verb": "ping"}', None, "no id"),
        (b'{"id": 9007199254740992, "verb": "ping"}', None, "no id"),
        (b'{"id": NaN, "verb": "ping"}', None, "no id"),
        (b'{"id": 1}', 1, "verb"),
        (b'{"id": 1, "verb": "Ping"}', 1, "verb"),
        (b'{"id": 1, "verb": "__init__"}', 1, "verb"),
        (b'{"id": 1, "verb": ["ping"]}', 1, "verb"),
        (b'{"id": 1, "verb": {}}', 1, "verb"),
        (b'{"id": 1, "verb": "ping", "user": "alice"}', 1, "other fields"),
        (b'{"id": 1, "verb": "suspend"}', 1, "other fields"),
        (b'{"id": 1, "verb": "suspend", "session": "s", "user": "bob"}', 1, "other fields"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_request_is_refused_and_says_why(
    agent: ModuleType, said: bytes | None, number: int | None, why: str
) -> None:
    with pytest.raises(agent.Refused, match=why) as refused:
        agent.understand(said)
    assert refused.value.number == number


AGENT = loaded()
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def understood_or_refused(said: bytes) -> None:
    try:
        request = AGENT.understand(said)
    except AGENT.Refused:
        return
    again = AGENT.understand(line(request))
    assert again == request, "what the front passes on is what root understands"


@given(st.binary())
def test_any_bytes_are_understood_or_refused(said: bytes) -> None:
    understood_or_refused(said)


@given(st.sampled_from(sorted(AUTHORIZE)), ANYTHING)
def test_any_value_of_a_field_is_understood_or_refused(field: str, value: object) -> None:
    understood_or_refused(line(AUTHORIZE | {field: value}))


@given(st.text(alphabet='%",\n\\ :.*[]@=!abf019', max_size=60))
def test_no_option_of_a_key_can_be_broken_out_of(text: str) -> None:
    for field in ("from", "permitopen", "key", "user"):
        try:
            request = AGENT.understand(line(AUTHORIZE | {field: text}))
        except AGENT.Refused:
            continue
        assert not set('",\n\\ ') & set(request[field])
