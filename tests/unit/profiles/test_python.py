"""The backend of twenty lines, and what happens when they are wrong."""

from __future__ import annotations

import threading

import pytest

from usher.errors import AuthFailed
from usher.model import Credential, User, client_at
from usher.ports import Authenticator
from usher.profiles.python import PythonFile

ALICE = User("alice")
HERE = client_at("192.0.2.1")
REST = "def list_profiles(user): return {'a': {}}\ndef select_profile(user, sid): return None\n"


@pytest.fixture
def backend(tmp_path):
    def make(text):
        path = tmp_path / "mybroker.py"
        path.write_text(text, encoding="utf-8")
        return PythonFile(path=path)

    return make


def lists(expression):
    return f"def list_profiles(user): return {expression}\ndef select_profile(user, sid): ...\n"


def selects(expression, **keys):
    return f"{lists({'a': keys})}async def select_profile(user, sid): return {expression}\n"


def checks(expression):
    return f"{REST}def check_access(user, password, authid): return {expression}\n"


async def profiles(source):
    return (await source.profiles(ALICE)).profiles


async def test_values_may_have_their_own_types(backend):
    listed = {"fullscreen": True, "width": 1, "sound": "no", "name": '"x"', "user": None}
    listed["applications"] = ["X", "Y"]
    (profile,) = await profiles(backend(lists({"a": listed})))
    wanted = {
        "fullscreen": True,
        "width": 1,
        "sound": False,
        "applications": ("X", "Y"),
        "name": '"x"',
    }
    assert profile.options.items() >= wanted.items()
    assert "user" not in profile.options
    assert profile.servers == ()


@pytest.mark.parametrize("value", ["'wide'", "[1, 2]", "object()", "1.5", "{}", "b'1'"])
async def test_a_bad_profile_is_left_out_and_logged_once(backend, caplog, value):
    source = backend(lists(f"{{'good': {{}}, 'bad': {{'width': {value}}}}}"))
    for user in ("alice", "bob", "alice"):
        catalogue = await source.profiles(User(user))
        assert [profile.id for profile in catalogue.profiles] == ["good"]
    assert len(caplog.messages) == 1 and "'bad': width" in caplog.text


@pytest.mark.parametrize("listed", ["None", "['a']", "{'a': 1}", "{1: {}}"])
async def test_a_list_that_is_none_is_a_bug_and_not_an_empty_list(backend, listed):
    with pytest.raises(OSError, match=r"mybroker\.py:1: list_profiles: must return .*, not "):
        await profiles(backend(lists(listed)))


@pytest.mark.parametrize(
    ("said", "address", "port"),
    [
        ("'ts1'", "ts1", 22),
        ("'ts1:2222'", "ts1", 2222),
        ("'10.0.0.1:2222'", "10.0.0.1", 2222),
        ("'[2001:db8::1]:2222'", "2001:db8::1", 2222),
        ("'2001:db8::1'", "2001:db8::1", 22),
    ],
)
async def test_a_server_is_a_host_and_perhaps_a_port(backend, said, address, port):
    source = backend(selects(said))
    (profile,) = await profiles(source)
    (server,) = await source.servers(profile, ALICE)
    assert (server.name, server.address, server.port) == (address, address, port)
    assert set(source.known_servers()) == {server}


async def test_an_ipv6_address_is_none_for_x2goclient_and_that_is_logged_once(backend, caplog):
    source = backend(selects("'2001:db8::1'"))
    (profile,) = await profiles(source)
    for _ in range(2):
        await source.servers(profile, ALICE)
    (told,) = caplog.messages
    assert "mybroker.py:3: select_profile: '2001:db8::1' sends X2Go Client nowhere" in told


async def test_a_proxy_that_keys_have_to_pass_is_known_as_well(backend):
    keys = {"usesshproxy": True, "sshproxyhost": "gate", "broker-session-autologin": True}
    source = backend(selects("'ts1'", **keys))
    (profile,) = await profiles(source)
    await source.servers(profile, ALICE)
    assert {server.name for server in source.known_servers()} == {"ts1", "gate"}


async def test_none_is_no_server(backend):
    source = backend(selects("None"))
    (profile,) = await profiles(source)
    assert await source.servers(profile, ALICE) == ()
    assert not source.known_servers()


@pytest.mark.parametrize("said", ["''", "'a b'", "'ts1:x'", "42", "False"])
async def test_what_is_no_server_is_a_bug(backend, said):
    source = backend(selects(said))
    (profile,) = await profiles(source)
    with pytest.raises(OSError, match=r"mybroker\.py:3: select_profile: "):
        await source.servers(profile, ALICE)


async def test_the_program_is_asked_for_its_own_sid(backend):
    source = backend(
        "def list_profiles(user): return {'Büro': {'sshport': 23}}\n"
        "def select_profile(user, sid): return {'Büro': user}[sid]\n"
    )
    (profile,) = await profiles(source)
    (server,) = await source.servers(profile, ALICE)
    assert (server.address, server.port) == ("alice", 23)


async def test_a_list_that_is_changed_in_place_is_noticed(backend):
    source = backend("it = {}\n" + lists("it") + "def grow(): it['a'] = {}\n")
    before = await source.profiles(ALICE)
    source._program._module.grow()
    assert await source.profiles(ALICE) is not before


async def test_a_value_that_is_changed_in_place_is_noticed(backend):
    source = backend("it = {'a': {'applications': []}}\n" + lists("it"))
    before = await source.profiles(ALICE)
    source._program._module.it["a"]["applications"].append("X")
    assert (await source.profiles(ALICE)) is not before
    source._program._module.it["a"]["name"] = "x"
    (profile,) = await profiles(source)
    assert (profile.name, profile.options["applications"]) == ("x", ("X",))


async def test_a_long_list_is_read_beside_the_loop(backend, monkeypatch):
    readers = []
    source = backend(REST.replace("def list", "async def list"))
    monkeypatch.setattr(
        "usher.profiles.python.safe_ids",
        lambda names: readers.append(threading.current_thread()) or {name: name for name in names},
    )
    assert await profiles(source)
    assert readers and threading.main_thread() not in readers


def test_without_check_access_it_is_no_authenticator(backend):
    assert not isinstance(backend(REST), Authenticator)
    assert isinstance(backend(checks("True")), Authenticator)


async def test_check_access_sees_user_password_and_foreign_authid(backend):
    source = backend(checks("(user, password, authid) == ('alice', 'pw', 'x')"))
    assert await source.authenticate(Credential("alice", "pw", "x"), HERE) == "alice"
    with pytest.raises(AuthFailed):
        await source.authenticate(Credential("alice", "pw", "y"), HERE)


@pytest.mark.parametrize("answer", ["False", "None", "1", "'yes'", "[True]"])
async def test_nothing_but_true_lets_in(backend, answer):
    with pytest.raises(AuthFailed) as refusal:
        await backend(checks(answer)).authenticate(Credential("alice", "pw"), HERE)
    assert "pw" not in refusal.value.detail


async def test_an_exception_is_no_refusal(backend):
    with pytest.raises(OSError, match=r"mybroker\.py:3: check_access: ZeroDivisionError"):
        await backend(checks("1 / 0")).authenticate(Credential("alice", "pw"), HERE)


async def test_functions_may_be_async(backend):
    source = backend("async def check_access(user, password, authid): return True\n" + REST)
    assert await source.authenticate(Credential("alice"), HERE) == "alice"


async def test_users_come_and_go_and_the_memory_stays(backend, monkeypatch):
    monkeypatch.setattr("usher.profiles.python.REMEMBERED", 2)
    source = backend(REST)
    for name in "abcd":
        await source.profiles(User(name))
    assert list(source._offers) == ["c", "d"]


async def test_servers_come_and_go_and_the_memory_stays(backend, monkeypatch):
    monkeypatch.setattr("usher.profiles.python.REMEMBERED", 2)
    source = backend(selects("user"))
    (profile,) = await profiles(source)
    for name in "abcac":
        await source.servers(profile, User(name))
    assert {server.name for server in source.known_servers()} == {"a", "c"}


async def test_faults_come_and_go_and_the_memory_stays(backend, monkeypatch, caplog):
    monkeypatch.setattr("usher.profiles.python.REMEMBERED", 2)
    source = backend(lists("{user: {'width': 'x'}}"))
    for name in "abcd":
        await source.profiles(User(name))
    assert len(source._noted) == 2 and len(caplog.messages) == 4
