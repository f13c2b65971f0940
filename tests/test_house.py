"""The house rules that a machine can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
FILES = sorted(
    path for folder in ("src", "tests", "bench") for path in (HOUSE / folder).rglob("*.py")
)
SOURCES = [path for path in FILES if "src" in path.relative_to(HOUSE).parts]
FILE_LINES = 300
FUNCTION_LINES = 30
PLUGIN_ROOMS = {"auth", "directory", "profiles", "selection", "agents", "store"}

Function = ast.FunctionDef | ast.AsyncFunctionDef

every_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(HOUSE)))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Its lines without the docstring: what is explained at length is not longer for it."""
    documented = ast.get_docstring(function) is not None
    first = function.body[0]
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@every_file
def test_a_file_fits_in_the_head(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@every_file
def test_a_function_fits_in_the_eye(path: Path):
    long = {f.name: length(f) for f in functions(tree_of(path)) if length(f) > FUNCTION_LINES}
    assert not long


@every_file
def test_a_module_says_in_a_line_what_it_is_for(path: Path):
    docstring = ast.get_docstring(tree_of(path)) or ""
    first = docstring.partition("\n")[0]
    assert first.endswith((".", "?")), f"{path}: {first!r}"


@every_source
def test_public_functions_and_classes_say_what_they_promise(path: Path):
    public = [*_public(tree_of(path))]
    told = {node.name for node in public if ast.get_docstring(node) or _is_protocol(node)}
    assert {node.name for node in public} == told


def _public(node: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Functions and classes that others may use; what is inside a function is nobody's."""
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from _public(child)


def _is_protocol(node: ast.AST) -> bool:
    """The ports are told by their methods."""
    return isinstance(node, ast.ClassDef) and "Protocol" in {
        base.id for base in node.bases if isinstance(base, ast.Name)
    }


@every_source
def test_plugin_rooms_do_not_know_each_other(path: Path):
    room = path.relative_to(HOUSE / "src" / "usher").parts[0]
    others = {f"usher.{name}" for name in PLUGIN_ROOMS - {room}}
    imported = {
        name for node in ast.walk(tree_of(path)) for name in _imported(node) if name in others
    }
    assert not imported or room not in PLUGIN_ROOMS


def _imported(node: ast.AST) -> Iterator[str]:
    names = []
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    return (".".join(name.split(".")[:2]) for name in names)


def test_everybody_imports_downwards_only():
    lint = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([lint, "--no-cache"], cwd=HOUSE, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@every_source
def test_no_wire_awaits(path: Path):
    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
    if path.parent.name == "wire":
        assert not [node for node in ast.walk(tree_of(path)) if isinstance(node, waiting)]
