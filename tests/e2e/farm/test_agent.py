"""Our agent on a real X2Go Server, asked through SSH as the broker asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from e2e.desktop import DESKTOP, Desktop
from e2e.farm.farm import PASSWORD, Farm, knows, suspend
from e2e.farm.host import X2GOSERVER, key_pair
from e2e.farm.lan import ADDRESSES
from e2e.machine import Account

NEEDS = ("pyhoca-cli", *DESKTOP, *X2GOSERVER)


def test_begins_with_all_its_rights_and_tells_of_its_own_host(farm: Farm) -> None:
    with farm.agent(farm.h1) as agent:
        hello = agent.event("hello")
        assert (hello["host"], hello["database"], hello["why"]) == ("h1", "sqlite", "")
        assert hello["privileged"]
        assert agent.event("sessions")["sessions"] == []


def test_sees_a_session_begin_suspends_it_and_ends_it(farm: Farm, account: Account) -> None:
    with farm.agent(farm.h1) as agent, farm.desktop("desk", account) as desk:
        with session(desk, "h1"):
            running = knows(agent, ["R"])["sessions"][0]
            assert (running["user"], running["server"], running["client"]) == (
                *("alice", "h1"),
                ADDRESSES["desk"],
            )
            suspend(agent, running["id"])
            knows(agent, ["S"])
        assert farm.h1.sessions() == {running["id"]: ("S", "desk")}
        assert agent.ask(verb="terminate", session=running["id"])["ok"]
        knows(agent, [])
        assert "x2goagent" not in farm.h1.run("ps", "ax")


def test_lets_a_key_log_in_as_the_user_and_from_nowhere_else(farm: Farm, account: Account) -> None:
    key = key_pair(farm.folder / "one-time")
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    grant = {"user": "alice", "key": public, "seconds": 60, "permitopen": "localhost:*"}
    with (
        farm.agent(farm.h1) as agent,
        farm.lan.place("desk") as desk,
        farm.lan.place("sofa") as sofa,
    ):
        assert "Permission denied" in farm.ssh(desk, farm.h1, "alice", key).stderr
        at_desk = {"from": ADDRESSES["desk"], "pty": False}
        assert agent.ask(verb="authorize", **grant, **at_desk)["ok"]
        assert farm.ssh(desk, farm.h1, "alice", key).stdout == "alice\n"
        assert "Permission denied" in farm.ssh(sofa, farm.h1, "alice", key).stderr
        assert agent.ask(verb="withdraw", user="alice", key=public)["ok"]
        assert "Permission denied" in farm.ssh(desk, farm.h1, "alice", key).stderr


def test_is_all_that_the_key_of_the_broker_can_run(farm: Farm) -> None:
    place, key = farm.lan.broker, farm.folder / "key"
    said = farm.ssh(place, farm.h1, "usher-agent", key, "cat /etc/passwd").stdout
    assert '"event": "hello"' in said
    assert "root:" not in said


@contextmanager
def session(desk: Desktop, host: str) -> Iterator[None]:
    """A terminal on that server, shown at the desk by pyhoca-cli."""
    login = ("--server", ADDRESSES[host], "--username", "alice", "--password", PASSWORD)
    wanted = ("--new", "--command", "xterm", "--session-type", "application", "--quiet")
    options = ("--force-password", "--add-to-known-hosts", "--sound", "none")
    command = ("pyhoca-cli", *login, *wanted, *options, "--kbd-type", "pc105/us")
    with desk.account.running(*command, **desk.environment):
        yield
