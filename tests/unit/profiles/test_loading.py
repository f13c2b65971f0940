"""A whole file: what it inherits, what a fault costs, and what is made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.model import BROKER_USER, Server
from usher.profiles.loading import Loader
from usher.profiles.pace import at_once
from usher.profiles.reading import DESKTOPS
from usher.settings import Settings

PATH = Path("profiles.conf")
HOSTLESS = "is not set: clients are sent to localhost"


def load(text):
    """What the text says; sections without a host are told of in tests of their own."""
    loaded = at_once(Loader(PATH).load(text))
    return replace(loaded, faults=tuple(f for f in loaded.faults if f.message != HOSTLESS))


def only(text):
    (profile,) = load(text).profiles
    return profile


def test_a_profile_is_completed_by_the_defaults_of_the_file_and_then_by_ours():
    profile = only("[DEFAULT]\nwidth = 1\nheight = 2\n[a]\nheight = 3\nfoo = bar\n")
    wanted = {"width": 1, "height": 3, "foo": "bar", "speed": 2, "user": BROKER_USER}
    assert profile.options.items() >= wanted.items()
    assert len(only("[a]").options) == 34  # and host, which is kept apart


def test_the_defaults_are_no_profile_and_may_stand_last_and_in_pieces():
    profile = only("[a]\n[DEFAULT]\nwidth = 1\n[DEFAULT]\nheight = 2\n")
    assert (profile.options["width"], profile.options["height"]) == (1, 2)


def test_profiles_are_sorted_by_their_sections():
    assert [p.section for p in load("[b]\n[B]\n[ä]\n[a10]\n[a2]").profiles] == [
        "B",
        "a10",
        "a2",
        "b",
        "ä",
    ]


def test_lists_of_the_broker_do_not_reach_the_client():
    ours = "acl-users-allow = x\nbroker-agent-query-mode = SSH\nbroker-session-limit = 2\n"
    profile = only(f"[a]\n{ours}host = h\n")
    assert not any(key.startswith(("acl-", "broker-", "host")) for key in profile.options)
    assert profile.settings == Settings(session_limit=2)


def test_access_lists_are_inherited_and_overridden_one_by_one():
    text = "[DEFAULT]\nacl-users-allow = x\nacl-groups-deny = ALL\n[a]\nacl-users-allow = y\n"
    access = only(text).access
    assert (access.users.allow, access.groups.deny) == ({"y"}, {"ALL"})


@pytest.mark.parametrize("desktop", sorted(DESKTOPS))
def test_a_desktop_is_in_capitals_and_not_rootless(desktop):
    options = only(f"[a]\nrootless = true\ncommand = {desktop.title()}\n").options
    assert (options["command"], options["rootless"]) == (desktop, False)


@pytest.mark.parametrize("command", ["TERMINAL", "startxfce4", "Shadow"])
def test_another_command_stays_as_it_is(command):
    options = only(f"[a]\nrootless = true\ncommand = {command}\n").options
    assert (options["command"], options["rootless"]) == (command, True)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("[a]", (Server("localhost", "localhost", 22),)),
        ("[a]\nhost =", ()),
        ("[a]\nhost = not-set", ()),
        ("[a]\nhost = h\nsshport = 23", (Server("h", "h", 23),)),
        (
            "[DEFAULT]\nsshport = 23\n[a]\nhost = h, i (10.0.0.1:24)",
            (Server("h", "h", 23), Server("i", "10.0.0.1", 24)),
        ),
        ("[DEFAULT]\nhost = h\n[a]\nsshport = 23", (Server("h", "h", 23),)),
        ("[a]\nhost = h\nsshport = not-set", (Server("h", "h", 22),)),
        ("[a]\nhost = h, i\ncommand = shadow", (Server("h", "h", 22),)),
    ],
)
def test_servers_are_those_of_host_at_the_port_of_sshport(text, servers):
    assert only(text).servers == servers


BAD = {
    "a bad number": ("width = x", "width"),
    "a bad truth": ("sound = perhaps", "sound"),
    "a bad choice": ("speed = 7", "speed"),
    "a bad host": ("host = [::1]", "host"),
    "a key twice": ("width = 1\nwidth = 2", "width"),
    "no key": ("no sense", "no"),
    "not UTF-8": ("name = \udcff", "name"),
    "an unknown list": ("acl-user-deny = x", "acl-user-deny"),
}


@pytest.mark.parametrize(("lines", "key"), BAD.values(), ids=BAD)
def test_a_fault_disables_its_own_profile_and_is_found_at_its_line(lines, key):
    loaded = load(f"[good]\n\n[bad]\n# here\n{lines}\n[fine]\n")
    assert [profile.id for profile in loaded.profiles] == ["fine", "good"]
    (fault,) = loaded.faults
    assert (fault.path, fault.line, fault.key) == (PATH, 5 + lines.count("\n"), key)
    assert not fault.warning


@pytest.mark.parametrize(("lines", "key"), BAD.values(), ids=BAD)
def test_a_fault_in_the_defaults_disables_those_who_inherit_it(lines, key):
    loaded = load(f"[DEFAULT]\n{lines}\n[heir]\n[other]\n{key} = not-set\n")
    assert [profile.id for profile in loaded.profiles] == ["other"]
    (fault,) = loaded.faults
    assert (fault.line, fault.key) == (2 + lines.count("\n"), key)


def test_two_sections_of_one_name_are_both_left_out():
    loaded = load("[a]\n[b]\n[a]\n")
    assert [profile.id for profile in loaded.profiles] == ["b"]
    assert [(fault.line, fault.key) for fault in loaded.faults] == [(1, "[a]"), (3, "[a]")]


def test_a_section_whose_name_cannot_be_read_hurts_nobody_else():
    loaded = load("[a]\n[\udcff]\n")
    assert [profile.id for profile in loaded.profiles] == ["a"]
    assert [fault.line for fault in loaded.faults] == [2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nx = 1\n[a]\n", 2),
        (" x = 1\n  [DEFAULT]\n[a]", 1),
        ("[a]\n[b\n", 2),
        ("[a]\n[]\nx = 1", 2),
        ("[a]\n[DEFAULT)\n", 2),
        ("[a]\nDEFAULT]\n", 2),
        ("[a]\n  x[DEFAULT]\n", 2),
        ("[a]\n\ufeff[DEFAULT]\n", 2),
        ("", 1),
        ("# a\n", 1),
    ],
)
def test_what_may_have_been_the_defaults_spoils_the_file_as_a_whole(text, line):
    loaded = load(text)
    assert (loaded.profiles, loaded.whole) == ((), False)
    (fault,) = [fault for fault in loaded.faults if "not taken" in fault.message]
    assert fault.line == line and not fault.warning
    assert fault.fatal == ("]" in text)


def test_a_file_that_is_not_whole_still_tells_all_its_faults():
    assert [fault.line for fault in load("x\n[a]\nwidth = x\n[b\n[c]\n[c]\n").faults] == [
        1,
        1,
        3,
        4,
        5,
        6,
    ]


def test_an_indented_file_is_as_good_as_any():
    loaded = load("  [DEFAULT]\n  acl-users-allow = x\n  [a]\n    host = h\n    [b]\n")
    assert [(p.id, p.access.users.allow) for p in loaded.profiles] == [("a", {"x"}), ("b", {"x"})]


@pytest.mark.parametrize("verb", ["allow", "deny"])
@pytest.mark.parametrize("whom", ["users", "groups", "clients"])
def test_a_list_of_nothing_but_commas_lets_nobody_pass(whom, verb):
    loaded = load(f"[a]\nacl-{whom}-{verb} = , ,\n")
    assert getattr(loaded.profiles[0].access, whom).broken
    assert "nobody passes" in loaded.faults[0].message


def test_every_fault_is_told_in_one_run():
    loaded = load("".join(f"[{i}]\n{lines}\n" for i, (lines, _) in enumerate(BAD.values())))
    assert not loaded.profiles
    assert [fault.key for fault in loaded.faults] == [key for _, key in BAD.values()]


@pytest.mark.parametrize("header", ["[a]", "[\udcff]", "[unclosed"])
def test_below_a_bad_header_every_fault_is_told_as_well(header):
    loaded = load(f"[a]\nwidth = 1\n{header}\nwidth = x\n")
    assert (4, "width") in [(fault.line, fault.key) for fault in loaded.faults]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\n[b]\nhost = ts\n", [f"profiles.conf:1: host: warning: {HOSTLESS}"]),
        ("[DEFAULT]\nhost = ts\n[a]\n", []),
        ("[a]\nhost = localhost\n", []),
        (
            "\n[DEFAULT]\nhost = ts\n",
            ["profiles.conf:2: [: warning: there is no profile: write a [section] for each"],
        ),
    ],
)
def test_a_file_that_leads_nowhere_is_a_warning(text, told):
    assert [str(fault) for fault in at_once(Loader(PATH).load(text)).faults] == told


@pytest.mark.parametrize("header", ["default", " DEFAULT ", "DEFAULT] # as of [2020"])
def test_what_is_nearly_the_header_of_the_defaults_is_a_warning(header):
    loaded = load(f"[{header}]\n[a]\n")
    assert [profile.section for profile in loaded.profiles] == sorted([header, "a"])
    (fault,) = loaded.faults
    assert (fault.line, fault.key, fault.warning) == (1, f"[{header}]", True)


def test_profiles_that_look_the_same_are_a_warning():
    loaded = load("[a]\nname = X\n[b]\nname = Y\n[c]\nname = X\n")
    assert [(fault.line, fault.warning) for fault in loaded.faults] == [(1, True), (5, True)]


def test_what_has_not_changed_is_not_made_anew():
    loader = Loader(PATH)
    a, b, c = at_once(loader.load("[a]\n[b]\n[c]\n")).profiles
    assert at_once(loader.load("# new\n[c]\n[b]\nwidth = 1\n[a]\n")).profiles[::2] == (a, c)
    assert b not in at_once(loader.load("[b]\nwidth = 1\n")).profiles


def test_what_inherits_something_else_is_made_anew():
    loader = Loader(PATH)
    (before,) = at_once(loader.load("[a]\n")).profiles
    (after,) = at_once(loader.load("[DEFAULT]\nwidth = 1\n[a]\n")).profiles
    assert (before.options["width"], after.options["width"]) == (800, 1)


def test_a_fault_moves_with_the_lines_above_it():
    loader = Loader(PATH)
    for above in range(3):
        (fault,) = at_once(loader.load("\n" * above + "[a]\nwidth = x\n")).faults
        assert fault.line == above + 2


def test_ten_thousand_profiles_are_loaded():
    text = "".join(
        f"[p{i}]\nname = {i}\nhost = h{i}\nacl-groups-allow = g{i}\n" for i in range(10000)
    )
    assert len(load(text).profiles) == 10_000


_lines = st.sampled_from(
    [
        "[",
        "]",
        "=",
        ":",
        '"',
        "\\",
        "\n",
        " ",
        "[DEFAULT]",
        "host",
        "acl-users-allow",
        "acl-clients-deny",
        "not-set",
        "sshport",
        "icon",
        "(",
        "::1",
    ]
)


@given(st.lists(_lines | st.text() | st.characters(categories=["Cs"])).map("".join))
def test_whatever_stands_in_the_file_it_is_read(text):
    loaded = load(text)
    assert all(str(fault).isprintable() or "\n" not in str(fault) for fault in loaded.faults)
    "".join(map(str, loaded.faults)).encode()
