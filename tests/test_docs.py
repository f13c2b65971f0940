"""The documentation is true: what it names is there, and what it says to type works."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest
from daemon import usher as run_usher
from fakes import FakeAgent, FakeAuthenticator

from docs import generate
from usher import cli, plugins
from usher.app import Daemon
from usher.config import Table, arguments, core, load
from usher.errors import AuthFailed
from usher.frontends.boundary import answer
from usher.model import Credential, client_at
from usher.ports import KINDS, Agent, Authenticator, Store
from usher.profiles.inifile import IniFile
from usher.tables import CORE
from usher.wire import plain

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
TUTORIAL, PLUGINS = ROOT / "docs/tutorial.md", ROOT / "docs/plugins.md"

STANDARD = """\
[authenticator]
type = "static"
users = { alice = "wonder", bob = "builder" }
[directory]
type = "flat"
groups = { staff = ["alice"] }
[profiles]
type = "inifile"
path = "profiles.conf"
[store]
type = "sqlite"
path = "state"
"""

HERE = client_at("127.0.0.1")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def _blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^ *```([\w-]+)\n(.*?)^ *```$", source, re.MULTILINE | re.DOTALL):
        line = source.count("\n", 0, found.start()) + 1
        yield Block(page, line, found[1], dedent(found[2]))


BLOCKS = [block for page in PAGES for block in _blocks(page)]


def _in(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def _typed() -> Iterator[tuple[str, list[str]]]:
    """Every command that a page says to type, word by word."""
    for block in _in("sh", "console"):
        for line in re.split(r"\n|&&", block.text):
            if words := shlex.split(line.strip().removeprefix("$ "), comments=True):
                yield str(block), words
    for page in PAGES:
        for inline in re.findall(r"`((?:usher|make) [^`]+)`", page.read_text(encoding="utf-8")):
            yield page.name, shlex.split(inline.partition("&&")[0])


def _write_files(page: Path, folder: Path) -> None:
    """Do what the page says: "Put this into `NAME`"."""
    listing = re.compile(
        r"^Put this into `([\w.]+)`.*?^```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL
    )
    for name, text in listing.findall(page.read_text(encoding="utf-8")):
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def badge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the package in plugins.md, installed as pip would install it."""
    _write_files(PLUGINS, tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n{name} = {at}\n" for group, on in groups for name, at in on.items()]
    (info / "entry_points.txt").write_text("".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_reference_page_is_what_the_code_says() -> None:
    assert generate.PAGE.read_text(encoding="utf-8") == generate.page(), "run: make docs"


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", source)
    dead = [link for link in links if not _leads_somewhere(page, *link)]
    assert not dead


def _leads_somewhere(page: Path, path: str, anchor: str) -> bool:
    target = page.parent / path if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target.read_text(encoding="utf-8"))


def _anchors(source: str) -> set[str]:
    """The names that a heading can be linked by."""
    headings = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_project_that_a_page_names_are_there(page: Path) -> None:
    pattern = r"(?<![\w/.])(?:packaging|tests|docs)/[\w./-]*[\w/]"
    named = set(re.findall(pattern, page.read_text(encoding="utf-8")))
    assert not {name for name in named if not (ROOT / name).exists()}


@pytest.mark.parametrize(("where", "words"), list(_typed()), ids=lambda value: str(value)[:60])
def test_commands_can_be_typed_as_they_stand(where: str, words: list[str]) -> None:
    command, *rest = words
    if Path(command).name == "usher":
        called_by_name = where.endswith(".md") and len(rest) == 1
        _parse([*rest, "--help"] if called_by_name else rest)
    if command == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= {*targets}


def _parse(words: list[str]) -> None:
    try:
        cli.parser().parse_args(words)
    except SystemExit as error:
        assert error.code == 0, f"usher does not take {shlex.join(words)}"


@pytest.mark.usefixtures("badge")
@pytest.mark.parametrize("block", [b for b in _in("toml") if "[project]" not in b.text], ids=str)
def test_configurations_are_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "usher.toml"
    file.write_text(block.text, encoding="utf-8")
    config = load(file)
    assert not config.faults()
    for schema in CORE.values():
        core(config, schema)
    for kind in config.values.keys() - CORE:
        _accept(kind, config.table(kind))


def _accept(kind: str, table: Table) -> None:
    """Raises ConfigError when there is an option that the plugin does not take."""
    plugin = plugins.installed(kind)[table.values["type"]].load()
    arguments(plugin, table, (Store,), _accept_inner)


def _accept_inner(port: type, table: Table) -> object:
    _accept(KINDS[port], table)
    fakes: dict[type, object] = {Authenticator: FakeAuthenticator({}), Agent: FakeAgent()}
    return fakes[port]


@pytest.mark.parametrize("block", _in("ini"), ids=str)
def test_profiles_are_without_fault(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "profiles.conf"
    file.write_text(block.text, encoding="utf-8")
    assert not IniFile(path=file).faults()


@pytest.mark.parametrize("block", _in("python"), ids=str)
def test_python_listings_can_be_compiled(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", _in("console"), ids=str)
def test_usher_says_what_the_page_shows(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = [b for b in _in("ini", "ini-with-faults") if b.page == block.page]
    profiles = max((b for b in above if b.line < block.line), key=lambda b: b.line)
    (tmp_path / "usher.toml").write_text(STANDARD, encoding="utf-8")
    (tmp_path / "profiles.conf").write_text(profiles.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command, shown in re.findall(r"^\$ usher (.*)\n((?:[^$].*\n)*)", block.text, re.MULTILINE):
        said = run_usher(*shlex.split(command), "-c", "usher.toml")
        assert said.stdout == shown, said.stderr


async def test_the_tutorial_answers_what_it_shows(tmp_path: Path) -> None:
    _write_files(TUTORIAL, tmp_path)
    brokers = {
        "8081": Daemon(load(tmp_path / "usher.toml")),
        "8082": Daemon(load(tmp_path / "twenty.toml")),
    }
    answers: list[str] = []
    for block in _blocks(TUTORIAL):
        curls = re.findall(r"^curl (.*) http://127.0.0.1:(\d+)/plain/$", block.text, re.MULTILINE)
        for options, port in curls:
            form = "&".join(word for word in shlex.split(options) if word != "-d")
            made = await answer(brokers[port].handle, plain, form.encode(), HERE)
            answers.append(made.body.decode())
            assert "Access granted" in answers[-1]
        if block.text.startswith("Access granted"):
            assert any(text.endswith(block.text) for text in answers[-2:])


async def test_the_broker_of_twenty_lines_is_a_broker(tmp_path: Path) -> None:
    _write_files(TUTORIAL, tmp_path)
    assert len((tmp_path / "mybroker.py").read_text().splitlines()) <= 20
    broker = Daemon(load(tmp_path / "twenty.toml"))

    async def ask(form: str) -> str:
        return (await answer(broker.handle, plain, form.encode(), HERE)).body.decode()

    assert "Access granted" not in await ask("task=listsessions&user=bob&password=wrong")
    listed = await ask("task=listsessions&user=bob&password=builder")
    assert "[desktop]" in listed
    assert "[lab]" not in listed
    authid = listed.partition("\n")[0].removeprefix("AUTHID:")
    assert "Access granted" in await ask(f"task=listsessions&user=bob&authid={authid}")
    to_lab = "task=selectsession&sid=lab&user={}&password={}"
    assert "SERVER:ts2.example.org:2222\n" in await ask(to_lab.format("alice", "wonder"))
    assert "SERVER:no-server" in await ask(to_lab.format("bob", "builder"))


async def test_the_authenticator_of_the_plugins_page_is_one(badge: Path) -> None:
    (badge / "badges").write_text("alice 12345678\n")
    file = badge / "usher.toml"
    file.write_text('[authenticator]\ntype = "badge"\npath = "badges"\n')
    plugin = plugins.build(Authenticator, load(file).table("authenticator"))
    assert await plugin.authenticate(Credential("alice", "12345678"), HERE) == "alice"
    with pytest.raises(AuthFailed):
        await plugin.authenticate(Credential("alice", "87654321"), HERE)
