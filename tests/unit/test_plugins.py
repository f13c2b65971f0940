"""Plugins are found by their entry points, ours and strangers' alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeStore

from usher import ports
from usher.config import load
from usher.errors import ConfigError
from usher.plugins import Builder, installed

STRANGER = """\
from pathlib import Path
from usher.ports import Authenticator, Store

class Oracle:
    def __init__(self, *, answer: str, book: Path = Path("book")):
        if answer == "never":
            raise ValueError("an oracle has to answer")
        if answer == "lost":
            raise FileNotFoundError(2, "no such book", str(book))
        self.answer, self.book = answer, book

    async def authenticate(self, credential, client):
        return self.answer

class Echo:
    def __init__(self, *, inner: Authenticator, store: Store, others: list[Authenticator] = []):
        self.inner, self.store, self.others = inner, store, others

    async def authenticate(self, credential, client):
        return await self.inner.authenticate(credential, client)

class Stone:
    pass
"""

ENTRY_POINTS = """\
[usher.authenticator]
oracle = stranger:Oracle
echo = stranger:Echo
stone = stranger:Stone
"""


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that somebody else has installed."""
    site = tmp_path / "site"
    metadata = site / "stranger-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "stranger.py").write_text(STRANGER)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(site)


STORE = FakeStore()


def made(folder: Path, text: str, builder: Builder | None = None) -> ports.Authenticator:
    """The authenticator of this configuration."""
    path = folder / "usher.toml"
    path.write_text(f"[authenticator]\n{text}")
    builder = builder or Builder({ports.Store: lambda: STORE})
    return builder.build(ports.Authenticator, load(path).table("authenticator"))


def test_ours_and_strangers_are_found_in_the_same_way():
    assert installed("authenticator").keys() >= {"static", "htpasswd", "pam", "oracle"}


@pytest.mark.parametrize(
    "kind", ["authenticator", "directory", "profiles", "selector", "agent", "store"]
)
def test_every_plugin_of_ours_can_be_loaded(kind: str):
    for point in installed(kind).values():
        assert isinstance(point.load(), type)


def test_a_strangers_plugin_gets_its_options(tmp_path: Path):
    oracle = made(tmp_path, 'type = "oracle"\nanswer = "yes"\nbook = "b.txt"\n')
    assert (oracle.answer, oracle.book) == ("yes", tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('type = "oracel"', "2: authenticator.type: unknown type 'oracel': did you mean 'oracle'?"),
        ("type = 5", "2: authenticator.type: unknown type 5: choose from "),
        ('type = "../oracle"', "2: authenticator.type: unknown type '../oracle'"),
        ('type = "oracle"', "1: authenticator.answer: is needed and missing"),
        ('type = "oracle"\nanswer = 5', "3: authenticator.answer: write text in quotes"),
        (
            'type = "oracle"\nanswer = "x"\nanswr = "y"',
            "4: authenticator.answr: unknown option.*: did you mean 'answer'?",
        ),
        ('type = "oracle"\nanswer = "never"', "2: authenticator.type: an oracle has to answer"),
        ('type = "oracle"\nanswer = "lost"', "1: authenticator.book: book: no such book"),
        (
            'type = "oracle"\nanswer = "lost"\nbook = "b.txt"',
            "4: authenticator.book: .*/b.txt: no such book",
        ),
        ('type = "stone"', "2: authenticator.type: stone does not fit the port Authenticator"),
        ('type = "echo"', "1: authenticator.inner: is needed and missing"),
        ('type = "echo"\ninner = "pam"', "3: authenticator.inner: write a table with its type: {"),
        ('type = "echo"\ninner = {}', "3: authenticator.inner.type: is needed: choose from"),
        (
            'type = "echo"\ninner = { type = "oracel" }',
            "3: authenticator.inner.type: unknown type 'oracel': did you mean 'oracle'?",
        ),
        (
            'type = "echo"\ninner = { type = "oracle", answer = 5 }',
            "3: authenticator.inner.answer: write text in quotes",
        ),
        (
            'type = "echo"\ninner.type = "oracle"\ninner.answer = 5',
            "4: authenticator.inner.answer: write text in quotes",
        ),
        (
            'type = "echo"\n[authenticator.inner]\ntype = "echo"\n'
            '[authenticator.inner.inner]\ntype = "oracle"\nanswr = "y"',
            "7: authenticator.inner.inner.answr: unknown option.*: did you mean 'answer'?",
        ),
        (
            'type = "echo"\ninner = { type = "oracle", answer = "lost" }',
            "3: authenticator.inner.book: book: no such book",
        ),
        (
            'type = "echo"\nstore = "mine"\ninner = { type = "oracle", answer = "x" }',
            "3: authenticator.store: unknown option.*: choose from inner, others",
        ),
    ],
)
def test_a_plugin_that_cannot_be_built_is_a_fault_of_the_configuration(
    tmp_path: Path, text: str, told: str
):
    with pytest.raises(ConfigError, match=f"usher.toml:{told}"):
        made(tmp_path, text)


def test_a_plugin_may_hold_others_and_the_store(tmp_path: Path):
    builder = Builder({ports.Store: lambda: STORE})
    text = """\
type = "echo"
others = [{ type = "oracle", answer = "perhaps" }, { type = "oracle", answer = "no" }]
[authenticator.inner]
type = "oracle"
answer = "yes"
book = "b.txt"
"""
    echo = made(tmp_path, text, builder)
    assert echo.store is STORE
    assert (echo.inner.answer, echo.inner.book) == ("yes", tmp_path / "b.txt")
    assert [other.answer for other in echo.others] == ["perhaps", "no"]
    assert builder.inner == [*echo.others, echo.inner]


def test_every_fault_in_a_plugin_and_in_what_it_holds_is_told_at_once(tmp_path: Path):
    text = 'type = "echo"\ninnr = 5\n[authenticator.inner]\ntype = "oracle"\nanswr = "y"\n'
    with pytest.raises(ConfigError) as error:
        made(tmp_path, text)
    assert [(fault.line, fault.key) for fault in error.value.faults] == [
        (3, "authenticator.innr"),
        (6, "authenticator.inner.answr"),
        (4, "authenticator.inner.answer"),
    ]
