"""What the broker before us replied, asked of ours; numbers as in docs/protocol.md."""

from __future__ import annotations

import json
import re

import pytest
from access_cases import GROUPS, HERE, Asker
from believing import believing, profiles_in
from daemon import running

PROFILES = """\
[case-8]
[case-9]
[case-48-xfce]
command = XFCE
[case-48-kde]
command = KDE
[case-48-gnome]
command = gnomE
[case-48-terminal]
command = TERMINAL

[case-50-plain]
host = host1
[case-50-sshport]
host = host1.intern
sshport = 23467
[case-50-address]
host = host1 (10.0.2.4)
[case-50-domain-address]
host = host1.intern (10.0.2.4)
[case-50-domain-domain]
host = host1.intern (host1.extern)
[case-50-bad]
host = host1.intern (-host1.extern)
[case-50-place]
host = host1 (10.0.2.4:2222)

[case-51]
host = host1, host2 (10.0.2.5), host3.intern (host3.extern), host4 (10.0.2.7:2222)
sshport = 23467
"""

BUILT_IN = """
    defsndport=true useexports=true print=true xinerama=true usekbd=true fstunnel=true sound=true
    rootless=true soundtunnel=true kdrive=false useiconv=false fullscreen=false multidisp=false
    directrdp=false setdpi=false export= layout= variant= iconvfrom=UTF-8 iconvto=UTF-8
    pack=16m-jpeg type=auto width=800 height=600 quality=9 speed=2 dpi=96 sshport=22
    sshproxyport=22 soundsystem=pulse sndport=4713 command=TERMINAL host=localhost user=maja
    applications=TERMINAL,WWWBROWSER,MAILCLIENT,OFFICE
"""
DEFAULTS = dict(word.split("=") for word in BUILT_IN.split())


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Has most of the profiles."""
    with believing(tmp_path_factory.mktemp("known"), PROFILES, GROUPS) as site:
        yield site


def test_8_where_no_password_is_needed_no_data_is_needed(broker):
    assert broker.daemon.request("POST", "/plain/").granted


def test_8_on_purpose_unlike_before_everybody_gets_an_authid(broker):
    assert broker.daemon.request("POST", "/plain/").authid


def test_9_a_profile_that_says_nothing_has_the_documented_keys(broker):
    assert len(DEFAULTS) == 34 + len(["kdrive"])
    listed = broker.listed("maja")["case-9"]
    assert listed.items() >= DEFAULTS.items()
    assert listed.keys() - DEFAULTS.keys() == {"name"}


def test_9_on_purpose_unlike_before_it_has_a_name_and_true_is_written_true(broker):
    listed = broker.listed("maja")["case-9"]
    assert (listed["name"], listed["sound"], listed["kdrive"]) == ("case-9", "true", "false")


@pytest.mark.parametrize(
    ("sid", "command", "rootless"),
    [
        ("case-48-xfce", "XFCE", "false"),
        ("case-48-kde", "KDE", "false"),
        ("case-48-gnome", "GNOME", "false"),
        ("case-48-terminal", "TERMINAL", "true"),
    ],
)
def test_48_a_desktop_is_upper_case_and_not_rootless(broker, sid, command, rootless):
    listed = broker.listed("maja")[sid]
    assert (listed["command"], listed["rootless"]) == (command, rootless)


@pytest.mark.parametrize(
    ("sid", "listed", "server"),
    [
        ("case-50-plain", "host1", ("host1", 22)),
        ("case-50-sshport", "host1.intern", ("host1.intern", 23467)),
        ("case-50-address", "host1", ("10.0.2.4", 22)),
        ("case-50-domain-address", "host1.intern", ("10.0.2.4", 22)),
        ("case-50-domain-domain", "host1.intern", ("host1.extern", 22)),
        ("case-50-bad", "host1.intern", ("host1.intern", 22)),
        ("case-50-place", "host1", ("10.0.2.4", 2222)),
    ],
)
def test_50_the_name_is_listed_and_the_address_selected(broker, sid, listed, server):
    assert broker.listed("maja")[sid]["host"] == listed
    assert broker.selected(sid) == server


def test_50_on_purpose_unlike_before_the_port_is_a_number_in_json(broker):
    asker, task = Asker("maja", HERE), "selectsession"
    answer = broker.ask(asker, "/json/", task=task, sid="case-50-place")
    assert json.loads(answer.text)["selected_session"] == {"server": "10.0.2.4", "port": 2222}


def test_51_of_many_hosts_each_is_reached_at_its_own_address_and_port(broker):
    found = {broker.selected("case-51", user=f"user{number}") for number in range(40)}
    assert found == {
        ("host1", 23467),
        ("10.0.2.5", 23467),
        ("host3.extern", 23467),
        ("10.0.2.7", 2222),
    }


INHERITED = """\
[DEFAULT]
exports = /home:1
width = 1024
command = xTerm
acl-users-deny = flip
acl-groups-allow = ALL
broker-session-autologin = false

[localhost-kde]
name = KDE - localhost
command = KDE

[localhost-mate]
name = MATE - localhost
command = MATE
width = 1280
acl-users-deny = thekla

[localhost-shadow]
name = SHADOW - localhost
acl-users-deny =
"""


@pytest.fixture(scope="module")
def heirs(tmp_path_factory):
    """Has the profiles of the file that was shipped, with something to inherit."""
    with believing(tmp_path_factory.mktemp("heirs"), INHERITED, GROUPS) as site:
        yield site


def test_43_and_47_the_list_is_all_profiles_of_the_file_and_default_is_none(heirs):
    assert [*heirs.listed("maja")] == ["localhost-kde", "localhost-mate", "localhost-shadow"]
    assert not any("default" in map(str.lower, p) for p in heirs.listed("maja").values())


def test_44_a_profile_is_completed_from_default_and_what_is_built_in(heirs):
    kde, mate, shadow = heirs.listed("maja").values()
    assert (kde["width"], mate["width"], shadow["width"]) == ("1024", "1280", "1024")
    assert (kde["height"], kde["exports"]) == ("600", "/home:1")
    assert kde.keys() == mate.keys() == shadow.keys() == {*DEFAULTS, "name", "exports"}


def test_45_what_is_for_the_broker_alone_stays_there_and_a_command_is_left_as_it_is(heirs):
    listed = heirs.listed("maja").values()
    assert not [key for p in listed for key in p if key.startswith(("acl-", "broker-"))]
    assert heirs.listed("maja")["localhost-shadow"]["command"] == "xTerm"


@pytest.mark.parametrize(
    ("user", "sees"),
    [
        ("maja", ["localhost-kde", "localhost-mate", "localhost-shadow"]),
        ("flip", ["localhost-mate", "localhost-shadow"]),
        ("thekla", ["localhost-kde", "localhost-shadow"]),
    ],
)
def test_46_access_is_inherited_and_each_list_can_be_replaced(heirs, user, sees):
    assert [*heirs.listed(user)] == sees


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Knows two users and offers nothing."""
    users = {"test": "sweet", "jacques": "thérèse"}
    static = {"type": "static", "users": users}
    with running(tmp_path_factory.mktemp("empty"), profiles="", authenticator=static) as daemon:
        yield daemon


@pytest.mark.parametrize(
    "form",
    [
        {"user": "test", "password": "sweet"},
        {"user": "test", "password": "sweet", "login": "somebody"},
        {"user": "jacques", "password": "thérèse"},
    ],
    ids=["a login", "with a login for the server", "in UTF-8"],
)
def test_55_the_right_password_is_granted_after_an_authid(empty, form):
    answer = empty.post(**form)
    assert answer.status == 200
    assert re.fullmatch(r"AUTHID:[A-Za-z0-9._-]+\nAccess granted\n", answer.text)


def test_55_on_purpose_unlike_before_a_wrong_password_is_200_and_not_granted(empty):
    answer = empty.post(user="test", password="sour")
    assert (answer.status, answer.granted, answer.authid) == (200, False, "")


def test_55_on_purpose_unlike_before_an_empty_list_is_one_placeholder(empty):
    answer = empty.post(user="test", password="sweet", task="listsessions")
    assert re.match(r"AUTHID:\S+\nAccess granted\nSTART_USER_SESSIONS\n\n", answer.text)
    [(_, placeholder)] = profiles_in(answer.text).items()
    assert placeholder == {"name": "No session profiles for test.", "host": ""}


def test_55_an_empty_list_in_json_is_empty(empty):
    answer = empty.post("/json/", user="test", password="sweet", task="listsessions")
    assert json.loads(answer.text)["profiles"] == {}
