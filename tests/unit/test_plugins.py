"""Plugins are found by their entry points, ours and strangers' alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from usher import ports
from usher.config import load
from usher.errors import ConfigError
from usher.plugins import build, installed

STRANGER = """\
from pathlib import Path

class Oracle:
    def __init__(self, *, answer: str, book: Path = Path("book")):
        if answer == "never":
            raise ValueError("an oracle has to answer")
        if answer == "lost":
            raise FileNotFoundError(2, "no such book", str(book))
        self.answer, self.book = answer, book

    async def authenticate(self, credential, client):
        return self.answer

class Stone:
    pass
"""

ENTRY_POINTS = """\
[usher.authenticator]
oracle = stranger:Oracle
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


def made(folder: Path, text: str) -> ports.Authenticator:
    """The authenticator of this configuration."""
    path = folder / "usher.toml"
    path.write_text(f"[authenticator]\n{text}")
    return build(ports.Authenticator, load(path).table("authenticator"))


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
    ],
)
def test_a_plugin_that_cannot_be_built_is_a_fault_of_the_configuration(
    tmp_path: Path, text: str, told: str
):
    with pytest.raises(ConfigError, match=f"usher.toml:{told}"):
        made(tmp_path, text)
