"""Which URLs the web server may have; the dialogue itself is in protocol/test_https_auth.py."""

from __future__ import annotations

import pytest

from usher.auth.https import Https
from usher.errors import AuthFailed
from usher.model import Credential, client_at


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://auth.example.org/", "in the clear"),
        ("http://192.0.2.1/", "in the clear"),
        ("http://localhost.example.org/", "in the clear"),
        ("ftp://auth.example.org/", "must look like"),
        ("auth.example.org", "must look like"),
        ("https://", "must look like"),
        ("https://user:secret@auth.example.org/", "must look like"),
        ("https://auth.example.org:99999/", "[Pp]ort"),
    ],
)
def test_a_url_that_would_not_do_is_refused(url, reason):
    with pytest.raises(ValueError, match=reason):
        Https(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example.org/check",
        "http://127.0.0.1:8081/",
        "http://[::1]/",
        "http://localhost/",
    ],
)
def test_https_and_loopback_will_do(url):
    assert Https(url=url)


def test_a_missing_ca_file_is_found_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        Https(url="https://auth.example.org/", ca=tmp_path / "missing.pem")
    assert error.value.filename == str(tmp_path / "missing.pem")


def test_a_ca_file_without_a_certificate_is_found_at_the_start(tmp_path):
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(OSError, match="holds no certificate") as error:
        Https(url="https://auth.example.org/", ca=tmp_path / "ca.pem")
    assert error.value.filename == str(tmp_path / "ca.pem")


async def test_a_colon_cannot_make_the_server_vouch_for_another_name():
    """``a:b`` with password ``c`` is ``a`` with password ``b:c`` on the wire."""
    nowhere = Https(url="http://127.0.0.1:9/")
    with pytest.raises(AuthFailed):
        await nowhere.authenticate(Credential("a:b", "c"), client_at("::1"))


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_at_all_is_no_timeout(timeout):
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds"):
        Https(url="https://auth.example.org/", timeout=timeout)
