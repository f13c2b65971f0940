"""Which accounts on the servers are whose."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from office import ONE, TWO, Office

from usher.accounts import AccountMaps, read_map
from usher.model import Load, Session, Sight, State, Task
from usher.settings import Policy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "accounts"
    file.write_text("# who is who\n\nalice = a.smith\nEXAMPLE\\bob=bob\nalice=asmith2\n")
    return file


async def test_a_user_has_the_accounts_of_their_lines(file: Path):
    maps = AccountMaps()
    assert await maps.of("alice", str(file)) == {"a.smith", "asmith2"}
    assert await maps.of("EXAMPLE\\bob", str(file)) == {"bob"}
    assert await maps.of("carol", str(file)) == set()


async def test_a_changed_map_counts_at_once_and_a_good_one_stays(file: Path, caplog):
    maps = AccountMaps()
    await maps.of("alice", str(file))
    file.write_text("alice = other\n")
    assert await maps.of("alice", str(file)) == {"other"}
    file.unlink()
    for _ in range(2):
        assert await maps.of("alice", str(file)) == {"other"}
    assert caplog.text.count("cannot be read, the last good one stays") == 1


async def test_a_map_that_was_never_there_gives_nobody_anything(tmp_path: Path):
    assert await AccountMaps().of("alice", str(tmp_path / "none")) == set()


@pytest.mark.parametrize(
    "line", ["alice", "alice =", "= a", "alice = -rf", "alice = a b", "a = $(x)"]
)
async def test_a_line_that_cannot_be_read_is_told_and_the_others_count(file: Path, line: str):
    file.write_text(f"carol = c\n{line}\ndave = d\n")
    read = read_map(str(file))
    assert [(fault.path, fault.line) for fault in read.faults] == [(file, 2)]
    assert "write broker-user = server-user" in str(read.faults[0])
    assert {*read.accounts} == {"carol", "dave"}


async def test_bytes_that_are_no_text_are_a_fault_of_the_file(file: Path):
    file.write_bytes(b"alice = \xff\n")
    (fault,) = read_map(str(file)).faults
    assert (fault.path, fault.key) == (file, "file")


@pytest.fixture
def office() -> Office:
    return Office()


def session(user: str, number: int) -> Session:
    name = f"{user}-{number}-1795414336_stDXFCE_dp24"
    return Session(name, user, "ts2", State.SUSPENDED, number)


@pytest.fixture
def mapped(office: Office, tmp_path: Path) -> Office:
    """A desktop where alice has the account a.smith, and both have a session."""
    (tmp_path / "map").write_text("alice = a.smith\n")
    office.autologin(login_map=str(tmp_path / "map"))
    office.farm.seen(TWO, Sight(Load(2), (session("alice", 50), session("a.smith", 51))))
    return office


@pytest.mark.parametrize(("login", "number"), [("", 50), ("alice", 50), ("a.smith", 51)])
async def test_an_account_that_is_mapped_has_its_own_sessions_and_keys(
    mapped: Office, login: str, number: int
):
    reply = await mapped.ask(Task.SELECT, profile_id="desktop", login=login)
    assert reply.selection and reply.selection.private_key
    assert [own.session.display for own in reply.selection.sessions] == [number]
    assert {grant.username for _, grant in mapped.agent.authorized} == {login or "alice"}
    assert reply.user and reply.user.name == "alice"


@pytest.mark.parametrize(
    ("user", "login"), [("bob", "a.smith"), ("bob", "alice"), ("alice", "bob")]
)
async def test_an_account_that_is_not_mapped_has_neither_session_nor_key(
    mapped: Office, user: str, login: str
):
    reply = await mapped.ask(Task.SELECT, user, profile_id="desktop", login=login)
    assert reply.selection and not reply.selection.private_key
    assert reply.selection.sessions == ()
    assert mapped.agent.authorized == set()


async def test_a_list_marks_what_runs_under_any_of_the_users_names(mapped: Office):
    reply = await mapped.ask(Task.LIST)
    assert [own.display for own in reply.sessions["desktop"]] == [50, 51]
    assert not (await mapped.ask(Task.LIST, "bob")).sessions


async def test_whoever_goes_there_as_somebody_else_leaves_the_users_sessions_alone(office: Office):
    office.autologin(session_policy=Policy.TAKEOVER, session_limit=1)
    running = replace(session("alice", 50), state=State.RUNNING)
    office.farm.seen(TWO, Sight(Load(1), (running,)))
    reply = await office.ask(Task.SELECT, profile_id="desktop", login="bob")
    assert reply.selection and (reply.selection.server, reply.selection.sessions) == (ONE, ())
    assert office.agent.suspended == []
