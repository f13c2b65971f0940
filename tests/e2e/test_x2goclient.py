"""x2goclient, looked at and typed into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from daemon import Daemon, running
from e2e.desktop import Desktop
from e2e.machine import Account
from e2e.offer import NAMES, SHELL, profiles
from e2e.x2goclient import X2GOCLIENT, x2goclient

from usher.wire.answer import NOWHERE

NEEDS = ("openssh-server", *X2GOCLIENT)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that the machine does not know."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_broker(
    authority: trustme.CA, ssh_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A broker that speaks TLS, with a certificate of that authority."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = folder / "certificate.pem"
    issued = authority.issue_cert("127.0.0.1")
    certificate.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    http = {"certificate": certificate, "key": certificate}
    with running(folder, profiles=profiles(ssh_port), http=http) as daemon:
        assert daemon.url.startswith("https:")
        yield daemon


def test_shows_every_profile_under_the_name_the_administrator_gave_it(
    screen: Desktop, broker: Daemon
) -> None:
    with x2goclient(screen, url_of(broker)) as client:
        client.login("wonder")
        assert client.names() == set(NAMES.values())


def test_stays_open_after_a_wrong_password_and_takes_the_right_one(
    screen: Desktop, broker: Daemon
) -> None:
    with x2goclient(screen, url_of(broker)) as client:
        client.login("wrong")
        client.see("Login failed!\nPlease try again.")
        screen.click(client.see("OK"))
        client.login("wonder")
        assert SHELL in client.names()


def test_is_sent_to_the_server_of_the_profile_logs_in_and_runs_a_command(
    screen: Desktop, broker: Daemon, account: Account
) -> None:
    with x2goclient(screen, url_of(broker)) as client:
        client.login("wonder")
        client.start(SHELL, account)


def test_tells_a_user_without_profiles_so_and_stays_usable_when_they_insist(
    screen: Desktop, broker: Daemon
) -> None:
    with x2goclient(screen, url_of(broker, "bob")) as client:
        client.login("builder")
        assert client.names() == {"No session profiles for bob."}
        client.choose("No session profiles for bob.")
        client.fill("Login:", "bob")
        client.fill("Password:", "builder")
        screen.press("Return")
        client.until("a server that says so", lambda: NOWHERE.name in client.text())
        screen.click(client.see("OK"))
        client.see("Password:")


def test_trusts_a_broker_whose_authority_it_was_given(
    screen: Desktop, tls_broker: Daemon, authority: trustme.CA, folder: Path
) -> None:
    authority.cert_pem.write_to_path(str(trusted := folder / "authority.pem"))
    with x2goclient(screen, url_of(tls_broker), f"--broker-cacertfile={trusted}") as client:
        client.login("wonder")
        assert client.names() == set(NAMES.values())


def test_warns_of_a_broker_whose_authority_nobody_gave_it(
    screen: Desktop, tls_broker: Daemon
) -> None:
    with x2goclient(screen, url_of(tls_broker)) as client:
        client.login("wonder")
        client.see("Secure connection failed.")


def url_of(broker: Daemon, user: str = "alice") -> str:
    """What the administrator tells a user."""
    return broker.url.replace("://", f"://{user}@") + "plain/"
