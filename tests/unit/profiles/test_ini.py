"""The INI dialect: sections, entries, and no understanding yet."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.profiles.ini import blocks, entries, split


def test_a_section_knows_the_line_of_its_header():
    found = list(blocks("lost = 1\n\n[a]\nx = 1\n[b] ; why\n\n[c"))
    assert [(block.name, block.line) for block in found] == [("", 0), ("a", 3), ("b", 5), ("", 7)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" [a]\n x=1", ["a"]),
        ("[a]\n  x=1\n  [b]", ["a", "b"]),
        ("[a]\n  x=1\n [b]", ["a", "b"]),
        ("[a]\n  x=1\n   [no section]", ["a"]),
        ("[a]\n  # x=1\n\n   [b]", ["a", "b"]),
        ("[a]\nx=1\n\n# y\n [no section]\n[b]", ["a", "b"]),
        ("[a]\n  x=1\n y=2\n  [no section]\n [b]\n  [c]", ["a", "b", "c"]),
        ("[a]\n\tx=1\n\t[b]\n\t\t[c]", ["a", "b", "c"]),
    ],
)
def test_a_header_is_no_deeper_than_the_entries_above_it(text, expected):
    judge = configparser.RawConfigParser()
    judge.read_string(text)
    assert [block.name for block in blocks(text)][1:] == expected == judge.sections()


@pytest.mark.parametrize("line", ["[x", "[x)", "x]", "(x]", "\ufeff[x]", "  x [y]", "[]", "x] = 1"])
def test_half_a_header_is_one_that_cannot_be_read(line):
    assert [(block.name, block.line) for block in blocks(f"[a]\n{line}\nb = 1")][1:] == [
        ("a", 1),
        ("", 2),
    ]


@pytest.mark.parametrize("line", ["# [x]", " ; x]", "x = [y]", "x: y]", "x y", ""])
def test_no_header_is_made_of_anything_else(line):
    assert len([*blocks(f"[a]\n{line}\nb = 1")]) == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = 1\nb=2", [(1, "a = 1"), (2, "b=2")]),
        ("# a = 1\n  ; b = 2\n\nc = 3", [(4, "c = 3")]),
        ("a = 1,\n  2,\n\t3\nb = 4", [(1, "a = 1,\n2,\n3"), (4, "b = 4")]),
        ("  a = 1\n  b = 2\n   c", [(1, "a = 1"), (2, "b = 2\nc")]),
        ("a = 1\n # no part of it\n  2", [(1, "a = 1\n2")]),
        ("a = [x]\n [no section]", [(1, "a = [x]\n[no section]")]),
        ("\n\n", []),
    ],
)
def test_entries_begin_at_their_lines_and_go_on_where_it_is_deeper(body, expected):
    assert list(entries(body)) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("a = 1", ("a", "1")),
        ("a: 1", ("a", "1")),
        ("a = b:c", ("a", "b:c")),
        ("a : b=c", ("a", "b=c")),
        ("a=", ("a", "")),
        ("a b", ("a", None)),
        ("= 1", ("", "1")),
    ],
)
def test_a_key_ends_at_the_first_equals_sign_or_colon(entry, expected):
    assert split(entry) == expected


_words = st.text("abc =:#;[]\n\t", max_size=12)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), _words), unique_by=lambda pair: pair[0]))
def test_what_configparser_accepts_is_read_as_it_does(pairs):
    text = "[s]\n" + "".join(f"{key} = {value}\n" for key, value in pairs)
    judge = configparser.RawConfigParser(default_section="none")
    judge.optionxform = str
    try:
        judge.read_string(text)
    except configparser.Error:
        return
    _, *found = blocks(text)
    assert [block.name for block in found if block.name] == judge.sections()
    if len(found) == 1:
        (block,) = found
        expected = {key: value.strip() for key, value in judge["s"].items()}
        assert dict(split(entry) for _, entry in entries(block.body)) == expected
