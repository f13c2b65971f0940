"""Qt's notation, byte for byte; that Qt agrees is tests/protocol/test_qt_reads.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.qsettings import has_marker, is_quoted, quote, unquote


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        ("", ""),
        ("Alpha Desktop", "Alpha Desktop"),
        ("https://host:8080/a?b&c#d", "https://host:8080/a?b&c#d"),
        ("Kaffee, Tee", '"Kaffee, Tee"'),
        ("/home:1;/tmp:0;", '"/home:1;/tmp:0;"'),
        ("QUJD==", '"QUJD=="'),
        (" edges ", '" edges "'),
        ('the "good" one', r'"the \"good\" one"'),
        ("C:\\Users", r'"C:\\Users"'),
        ("two\nlines\tand a tab\r", r'"two\nlines\tand a tab\r"'),
        ("@Invalid()", "@@Invalid()"),
        ("Büro", r'"B\xfcro"'),
        ("für dich", r'"f\xfcr dich"'),
        ("Übe", r'"\xdc\x62\x65"'),
        ("42 €", r'"42 \x20ac"'),
        ("東京", r'"\x6771\x4eac"'),
        ("\U0001f600", r'"\xd83d\xde00"'),
        ("\0\x1b\x7f", r'"\x0\x1b\x7f"'),
        ("SERVER:x", r'"\x53\x45RVER:x"'),
        ("one<br>two", r'"one\x3c\x62r>two"'),
        ("\ud83d\ude00a", r'"\xd83d\xde00\x61"'),
        ("half a pair \ud800!", r'"half a pair \xfffd!"'),
    ],
)
def test_a_text_is_written_in_qts_own_notation(text: str, notation: str) -> None:
    assert quote(text) == notation


MARKERS = (
    "<br>",
    "AUTHID:",
    "Access granted",
    "SERVER:",
    "SESSION_INFO",
    "START_USER_SESSIONS",
    "END_USER_SESSIONS",
    "START_CLIENT_CONFIG",
    "END_CLIENT_CONFIG",
    "PASSWORD CHANGED",
    "SUSPEND",
    "TERMINATE",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "X2GODATABEGIN",
    "X2GODATAEND",
    "LOGIN OK",
)
odd_texts = st.lists(
    st.sampled_from(
        [*MARKERS, "a", "F", "-", " ", '"', "\\", "\n", "é", ";", "@", "\ud83d", "\ude00"]
    )
).map("".join)


@given(odd_texts)
def test_no_word_of_the_protocol_survives_in_a_value(text: str) -> None:
    notation = quote(text)
    assert not [marker for marker in MARKERS if marker in notation]


@pytest.mark.parametrize("marker", MARKERS)
def test_every_word_of_the_protocol_is_known(marker: str) -> None:
    assert has_marker(f"x{marker}x")


@given(st.one_of(odd_texts, st.text()))
def test_a_value_is_one_line_of_printable_ascii(text: str) -> None:
    assert all(" " <= character <= "~" for character in quote(text))


@given(st.one_of(odd_texts, st.text()))
def test_what_was_quoted_reads_back(text: str) -> None:
    notation = quote(text)
    value = notation if is_quoted(notation) else f'"{notation}"'
    assert unquote(value) == text.encode("utf-16-le", "surrogatepass").decode(
        "utf-16-le", "replace"
    )


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ('""', True),
        ('"a, b"', True),
        (r'"say \"hello\""', True),
        ('"', False),
        ("a", False),
        ('"a" and "b"', False),
        (r'"a\"', False),
        (r'"a\\"', True),
        (' "a"', False),
    ],
)
def test_a_value_is_quoted_only_as_a_whole(value: str, quoted: bool) -> None:
    assert is_quoted(value) is quoted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"a, b; c"', "a, b; c"),
        (r'"B\xfcro"', "Büro"),
        ('"Büro €"', "Büro €"),
        (r'"\xd83d\xde00"', "\U0001f600"),
        (r'"\xd83d"', "\ufffd"),
        (r'"\101"', "A"),
        (r'"\n\t\"\\"', '\n\t"\\'),
        (r'"Back\slash"', "Backlash"),
        (r'"\x"', ""),
        ('"@@home"', "@home"),
        ('"@home"', "@home"),
    ],
)
def test_unquote_reads_the_clients_notation(value: str, text: str) -> None:
    assert unquote(value) == text
