"""Behind proxies: whose word about the client's address counts, and for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest
from daemon import Answer, Daemon, running, usher, write_config
from inprocess import FORM, granting, serving

from usher.model import Reply, Request

PROFILES = """\
[office]
host = ts1
acl-clients-allow = 10.0.0.0/8, 2001:db8::/32

[proxy]
host = ts2
acl-clients-allow = 127.0.0.1
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("proxies")
    trusted = ["127.0.0.1", "192.0.2.0/24"]
    with running(folder, profiles=PROFILES, http={"trusted_proxies": trusted}) as daemon:
        yield daemon


def ask(daemon: Daemon, forwarded: str | None, source: str = "", **more: str) -> Answer:
    """List the profiles, with this X-Forwarded-For."""
    form = {"task": "listsessions", "user": "alice", "password": "wonder", **more}
    headers: Mapping[str, str] = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return daemon.request("POST", "/plain/", urlencode(form).encode(), headers, source=source)


def seen(answer: Answer) -> set[str]:
    """The profiles in an answer."""
    return {name for name in ("office", "proxy") if f"[{name}]" in answer.text}


@pytest.mark.parametrize(
    ("forwarded", "profiles"),
    [
        (None, {"proxy"}),
        ("", {"proxy"}),
        ("10.1.2.3", {"office"}),
        (" 10.1.2.3 ", {"office"}),
        ("2001:db8::7", {"office"}),
        ("::ffff:10.1.2.3", {"office"}),
        ("203.0.113.9", set()),
        ("203.0.113.9:4711", set()),
        ("10.1.2.3:4711", {"office"}),
        ("[2001:db8::7]:4711", {"office"}),
        ("10.1.2.3, 203.0.113.9", set()),
        ("203.0.113.9, 10.1.2.3", {"office"}),
        ("10.1.2.3, 192.0.2.8", {"office"}),
        ("10.1.2.3, 203.0.113.9, 192.0.2.8", set()),
        ("10.1.2.3, nonsense", {"proxy"}),
    ],
)
def test_a_trusted_proxy_says_who_the_client_is(
    daemon: Daemon, forwarded: str | None, profiles: set[str]
):
    assert seen(ask(daemon, forwarded)) == profiles


def test_nobody_else_is_believed(daemon: Daemon):
    assert seen(ask(daemon, "10.1.2.3", source="127.0.0.2")) == set()


def test_without_trusted_proxies_nobody_is_believed(tmp_path: Path):
    with running(tmp_path, profiles=PROFILES) as daemon:
        assert seen(ask(daemon, "10.1.2.3")) == {"proxy"}


def test_an_authid_is_bound_to_the_client_and_not_to_the_proxy(daemon: Daemon):
    authid = ask(daemon, "10.1.2.3").authid
    assert ask(daemon, "10.1.2.3", password="", authid=authid).granted
    assert not ask(daemon, "10.1.2.4", password="", authid=authid).granted


async def test_what_comes_after_the_body_is_not_believed():
    seen_at = []

    async def noting(request: Request) -> Reply:
        seen_at.append(str(request.client.address))
        return await granting(request)

    sent = (
        b"POST /plain/ HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n"
    )
    async with serving(noting, trusted_proxies=["127.0.0.1"]) as served:
        assert b" 200 OK" in await served.exchange(sent % (len(FORM), FORM))
    assert seen_at == ["203.0.113.9"]


@pytest.mark.parametrize("proxy", ["nonsense", "10.0.0.1/8", "10.0.0.0/99", "", "proxy.example"])
def test_a_proxy_that_is_no_address_is_told_of_where_it_stands(tmp_path: Path, proxy: str):
    config = write_config(tmp_path, http={"trusted_proxies": ["127.0.0.1", proxy]})
    for command in ("serve", "check"):
        ended = usher(command, "-c", str(config))
        assert ended.returncode == 2
        assert f"{config}:3: http.trusted_proxies: " in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
