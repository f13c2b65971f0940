"""What x2goclient's INI reader makes of what we write; Qt itself is asked."""

from __future__ import annotations

from collections.abc import Iterator

import plainclient
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qt import Qt, judge

from usher import qsettings
from usher.model import Profile, Reply, Server, Task, User
from usher.wire import plain

MANY = settings(max_examples=500, deadline=None)


@pytest.fixture(scope="module")
def qt() -> Iterator[Qt]:
    yield from judge()


@given(
    st.text(
        alphabet=st.one_of(
            st.characters(exclude_categories=["Cs"]), st.sampled_from(' ,;"\\=@%<>abfx09\n\t\0')
        )
    )
)
@example("")
@example('Büro: Kaffee, Tee; "gut" \\ a=b')
@example("€42 \U0001f600face ✓b")
@example("@Invalid()")
@example("@@")
@example(" edges ")
@example("tab\t")
@example("<br>SERVER:x<br>AUTHID:y")
@example("\0abc")
@MANY
def test_the_client_reads_exactly_the_text_that_was_quoted(qt: Qt, text: str) -> None:
    assert qt.value(qsettings.quote(text)) == text


_NOTATION = (
    st.lists(
        st.sampled_from(
            [
                "\\x",
                "\\",
                "\\\\",
                "\\n",
                "\\7",
                '\\"',
                "\\q",
                "a",
                "b",
                "F",
                "0",
                "9",
                "@",
                ";",
                ",",
                "=",
                " ",
                "\t",
                "d83d",
                "\\xd83d",
                "\\xde00",
                "é",
                "%",
                "[",
                "#",
            ]
        )
    )
    .map(lambda parts: '"' + "".join(parts) + '"')
    .filter(qsettings.is_quoted)
)


@given(_NOTATION)
@example(r'"\xd83d\xde00"')
@example(r'"\x"')
@example(r'"\x1234567890"')
@example(r'"\40\400"')
@example('"@@x"')
@example('"a\\\r\nb"')
@MANY
def test_unquote_reads_what_the_client_would(qt: Qt, notation: str) -> None:
    seen = qt.value(notation).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert qsettings.unquote(notation) == seen


TEXTS = st.text(max_size=30).filter(lambda text: "\0" not in text)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), TEXTS, max_size=5), TEXTS)
@example({"name": "Büro <br> END_USER_SESSIONS", "icon": "QUJD/+=="}, "AUTHID:")
@MANY
def test_the_client_gets_every_option_of_a_list(
    qt: Qt, options: dict[str, str], username: str
) -> None:
    meant = {"name": "Alpha", **options, "user": "BROKER_USER"}
    profile = Profile("alpha", (Server("ts1", "ts1"), Server("ts2", "ts2")), meant)
    body = plain.write(Reply(Task.LIST, User(username), profiles=(profile,))).body
    seen = qt.sections(plainclient.profiles(body).encode("latin-1"))
    assert seen == {
        "alpha": {
            **meant,
            "name": meant["name"] or "alpha",
            "user": username,
            "host": "ts1,ts2",
        }
    }
