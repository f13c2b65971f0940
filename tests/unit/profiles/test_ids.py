"""Ids that every client can send back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usher.profiles.ids import LONGEST, safe_ids
from usher.wire.form import MAX_LENGTH, MAX_LENGTH_OF_OTHERS


@pytest.mark.parametrize("name", ["kde", "Desktop-1", "a.b_c~d", "0", "a" * 200])
def test_a_safe_name_is_its_own_id(name):
    assert safe_ids([name]) == {name: name}


@pytest.mark.parametrize(
    "name",
    ["Büro", "a b", "a/b", "50%", "General", "embedded", "日本", " ", "a" * 201, "--task", ".x"],
)
def test_any_other_name_gets_a_safe_id_that_depends_on_nothing_else(name):
    alone = safe_ids([name])[name]
    assert alone != name
    assert safe_ids(["x", name, "Bureau", "büro"])[name] == alone


def test_every_id_fits_into_the_fields_that_clients_send_it_in():
    assert MAX_LENGTH.get("sid", MAX_LENGTH_OF_OTHERS) >= LONGEST


def test_an_id_is_known_for_ever():
    assert safe_ids(["Büro"]) == {"Büro": "Buro-59cddd17"}


def test_a_section_named_like_the_id_of_another_keeps_its_name():
    assert safe_ids(["Büro", "Buro-59cddd17"])["Buro-59cddd17"] == "Buro-59cddd17"
    assert safe_ids(["Büro", "Buro-59cddd17"])["Büro"].startswith("Buro-")


@given(st.sets(st.text()))
def test_ids_are_safe_and_all_different(names):
    ids = safe_ids(names)
    assert set(ids) == names
    assert len({*ids.values()}) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._~-]{0,199}", made) for made in ids.values())
