"""What one line of a profile means, and what is said about one that is wrong."""

from __future__ import annotations

import pytest

from usher.profiles.statements import Statement, Use, read_entry, read_line

ICON = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("fullscreen = 1", True),
        ("fullscreen = YES", True),
        ("fullscreen = On", True),
        ("fullscreen = 0", False),
        ("fullscreen = no", False),
        ("fullscreen = OFF", False),
        ("width = 1024", 1024),
        ('width = "1024"', 1024),
        ("applications = OFFICE,  TERMINAL ,", ("OFFICE", "TERMINAL")),
        ("name = Büro, 1. Stock; links", "Büro, 1. Stock; links"),
        (r'name = "a\tb \"c\" \xe4"', 'a\tb "c" ä'),
        (r'name = say "hello" to "all', r'say "hello" to "all'),
        ('export = "~/a:1;~/b:0;"', "~/a:1;~/b:0;"),
        ("export = ~/a:1;~/b:0;", "~/a:1;~/b:0;"),
        (f"icon = {ICON}", ICON),
        ("icon = https://example.org/x.png", "https://example.org/x.png"),
        ("command = a = b %(x)s", "a = b %(x)s"),
        ("user =", ""),
    ],
)
def test_a_value_has_the_type_of_its_key(line, value):
    statement = read_line(line)
    assert (statement.use, statement.value, statement.notes) == (Use.SEND, value, ())
    assert type(statement.value) is type(value)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("fullscreen = maybe", "write true or false"),
        ("fullscreen =", "write true or false"),
        ("width = 10px", "digits only"),
        ("width = ", "digits only"),
        ("width = ٣", "digits only"),
        ("quality = 10", "write 0 or 1 or 2"),
        ("clipboard = all", "write both or client or server or none"),
        ("sshport = 70000", "from 1 to 65535"),
        ("sshport = 0", "from 1 to 65535"),
        ("host = [::1]", "write NAME ([::1])"),
        ("host = a b, ts1, -c", "'a b' is no host"),
        ("host = a b, ts1, -c", "'-c' is no host"),
        ("just words", "write key = value"),
        ("ke y = 1", "write key = value"),
        ("schlüssel = 1", "write key = value"),
        ("= 1", "write key = value"),
        ("name = \udce4", "UTF-8"),
        ("acl-user-allow = a", "did you mean 'acl-users-allow'?"),
        ("ACL-users-allow = a", "did you mean 'acl-users-allow'?"),
        ("acl-x = a", "write acl-any-order or acl-clients-allow or"),
    ],
)
def test_a_bad_line_spoils_the_profile_and_says_what_would_be_right(line, hint):
    statement = read_line(line)
    (note,) = statement.notes
    assert statement.use is Use.BAD
    assert hint in note.message and not note.warning


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("Name = x", "did you mean 'name'?"),
        ("fulscreen = true", "did you mean 'fullscreen'?"),
        ("xyzzy = true", "no client reads it"),
        (r"name = C:\new", '"..."'),
        ("icon = /usr/share/x.png", "base64"),
        ("export = ~/a:1;~/b", "write path:1;"),
        ("broker-xyzzy = 1", "the broker does not read it"),
        ("host = ts1 (-test-6.extern)", "is no address"),
        ("broker-agent-query-mod = NONE", "did you mean 'broker-agent-query-mode'?"),
        ("Broker-agent-query-mode = NONE", "did you mean 'broker-agent-query-mode'?"),
        ("status = R", "set by the broker"),
        ("running = 1", "set by the broker"),
        ("acl-users-allow = not-set", "nobody is kept out"),
        ("acl-clients-deny = not-set", "nobody is kept out"),
        ("height = -5", "'-5' is no size"),
        ("dpi = 0", "write a number from 1 on"),
        ("name = Office/", "nothing behind its last slash"),
        ("sshproxyhost = gate:22", "write sshproxyport"),
        ("broker-session-autologin = yes", "'yes' is false here"),
        ("broker-session-counts = perhaps", "write true or false"),
        ("acl-users-deny = flip ; boss", "'flip ; boss' is one name"),
        ("acl-users-allow = flip bob", "'flip bob' is one name"),
        ('acl-groups-deny = "flip", x', "'\"flip\"' is one name"),
    ],
)
def test_a_doubtful_line_is_a_warning_and_spoils_nothing(line, hint):
    statement = read_line(line)
    (note,) = statement.notes
    assert statement.use is not Use.BAD
    assert hint in note.message and note.warning


def test_a_list_that_cannot_be_read_keeps_the_profile_and_lets_nobody_pass():
    statement = read_line("acl-clients-deny = 10.0.0.*, 10.1.0.0/16, a b")
    (note,) = statement.notes
    assert statement.use is Use.ACL
    assert "'10.0.0.*' and 'a b' is no client" in note.message
    assert "nobody passes" in note.message and not note.warning


@pytest.mark.parametrize(
    "line",
    [
        "sshproxyhost = 2001:db8::1",
        "broker-session-autologin = TRUE",
        "broker-session-autologin = off",
        "acl-users-allow = o'brien, EXAMPLE\\ann, ann@example.org, ALL",
        "acl-groups-allow = Domain Users",
        "acl-users-order = allow-deny",
    ],
)
def test_what_is_probably_meant_is_no_doubt(line):
    assert not read_line(line).notes


@pytest.mark.parametrize("key", ["name", "fullscreen", "sshport", "host", "acl-users-deny", "x"])
def test_not_set_takes_a_key_away(key):
    assert read_line(f"{key} = not-set").use is Use.NOTHING


def test_a_literal_text_is_taken_as_it_stands():
    for text in ('"x"', r"C:\new"):
        assert read_entry("name", text, literal=True) == Statement("name", Use.SEND, text)


def test_the_keys_of_the_broker_stay_here():
    assert read_line("broker-session-limit = 2").use is Use.SETTING
    assert read_line("broker-agent-query-mode = SSH") == Statement(
        "broker-agent-query-mode", Use.NOTHING
    )
