"""A whole profile file into profiles and faults, as quickly as it can be done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from usher.errors import Fault
from usher.model import Option, Profile
from usher.places import NOT_UTF8
from usher.profiles.ids import safe_ids
from usher.profiles.ini import Block, blocks, entries, split
from usher.profiles.pace import Steps, gathered
from usher.profiles.reading import BUILT_IN, Layer, make_profile, read_section
from usher.profiles.statements import Note, Statement, Use, is_text, printable, read_line

DEFAULT = "DEFAULT"
_CLOSED = "Until then the file is not taken"
_NOWHERE = (Note(0, "host", "is not set: clients are sent to localhost", warning=True),)
_HOSTLESS = (Note(0, "host", "names no server: nobody can be sent anywhere", warning=True),)
_EMPTY = Note(0, "[", "there is no profile: write a [section] for each", warning=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the file says: the good profiles, sorted, and what is wrong with the others.

    When it is not whole, there are no profiles: nobody knows which rules they have lost.
    """

    profiles: tuple[Profile, ...] = ()
    faults: tuple[Fault, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Section:
    """A section as it was read: the text, and what was made of it."""

    id: str
    body: str
    profile: Profile | None
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class _Sections:
    """Sections by their names, and what they all inherited."""

    inherited: tuple[str, ...] = ()
    of: Mapping[str, _Section] = field(default_factory=dict)


class Loader:
    """Reads the text of a profile file. What has not changed since is not made anew:

    a section with the same text and the same inheritance gives the very same Profile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = _Sections()

    def load(self, text: str) -> Steps[Loaded]:
        """Read it all; whatever the text is, it never raises."""
        found = yield from gathered(blocks(text))
        defaults = [block for block in found if block.name == DEFAULT]
        yield
        default = read_section(_statements(defaults))
        lost = dict(_lost(found))
        yield
        wrong = lost | _misplaced([b for b in found if b.name not in ("", DEFAULT)])
        yield
        named = [b for b in found if b.name not in ("", DEFAULT) and b.line not in wrong]
        yield
        sections = yield from self._made(named, defaults, default.layer)
        notes = [*wrong.items(), *((0, note) for note in default.notes)]
        notes += [(b.line, note) for b in named for note in sections[b.name].notes]
        yield
        notes += [(b.line, note) for b in found if b.line in wrong for note in _inside(b)]
        notes += yield from _namesakes(named, sections)
        if not notes and not named:
            notes.append((defaults[0].line, _EMPTY))
        faults = tuple(sorted(self._fault(*note) for note in notes))
        if lost:
            return Loaded(faults=faults, whole=False)
        yield
        profiles = [sections[name].profile for name in sorted(sections)]
        return Loaded(tuple(filter(None, profiles)), faults)

    def _made(
        self, named: Sequence[Block], defaults: Iterable[Block], layer: Layer
    ) -> Steps[Mapping[str, _Section]]:
        """The sections by name: those of the last time, unless they inherit something else now."""
        inherited = tuple(block.body for block in defaults)
        known = self._before.of if inherited == self._before.inherited else {}
        layer = {**BUILT_IN, **layer}
        ids = safe_ids([block.name for block in named])
        yield
        sections = {}
        for block in named:
            sections[block.name] = _read(block, ids[block.name], layer, known.get(block.name))
            yield
        self._before = _Sections(inherited, sections)
        return sections

    def _fault(self, line: int, note: Note) -> Fault:
        at = line + note.line or 1
        return Fault(self._path, at, note.key, note.message, note.warning, note.fatal)


def lines_with(key: str, value: Option, text: str) -> Sequence[int]:
    """The lines that give this key that value."""
    said = _statements(block for block in blocks(text) if key in block.body)
    return [line for line, it in said if (it.key, it.value) == (key, value)]


def _read(block: Block, name: str, inherited: Layer, before: _Section | None) -> _Section:
    """The section under this id; as it was before when nothing has changed."""
    if before and (before.id, before.body) == (name, block.body):
        return before
    reading = read_section(_statements([block._replace(line=0)]))
    layer = {**inherited, **reading.layer}
    profile = make_profile(name, block.name, layer)
    host = layer["host"]
    nowhere = profile is not None and host is BUILT_IN["host"]
    hostless = (host.use, host.value) == (Use.SEND, "")
    notes = _strange(block.name) + reading.notes + _NOWHERE * nowhere + _HOSTLESS * hostless
    return _Section(name, block.body, profile, notes)


def _strange(header: str) -> tuple[Note, ...]:
    """A header that is probably not meant to be that of a profile."""
    if header.strip().upper() == DEFAULT:
        message = "is a profile like others: what holds for all of them stands below [DEFAULT]"
    elif "]" in header:
        message = "is the name up to the last bracket of its line: write nothing behind the header"
    else:
        return ()
    return (Note(0, f"[{printable(header)}]", message, warning=True),)


def _inside(block: Block) -> tuple[Note, ...]:
    """What is wrong below a header that is wrong itself."""
    return read_section(_statements([block._replace(line=0)])).notes


def _statements(found: Iterable[Block]) -> Iterator[tuple[int, Statement]]:
    """Those of several blocks as if of one section, with the lines of the file."""
    for block in found:
        for line, entry in entries(block.body):
            yield block.line + line, read_line(entry)


def _misplaced(found: Sequence[Block]) -> dict[int, Note]:
    """What is no section of its own, by the line of its header."""
    count = Counter(block.name for block in found)
    notes = ((block.line, _wrong(block, count[block.name])) for block in found)
    return {line: note for line, note in notes if note}


def _lost(found: Sequence[Block]) -> Iterator[tuple[int, Note]]:
    """What may once have been [DEFAULT] and the rules for all, by the line of its header."""
    for block in found:
        if block.line and not block.name:
            message = "the header cannot be read: write [name], and nothing before it"
            yield block.line, Note(0, "[", f"{message}. {_CLOSED}", fatal=True)
    for line, entry in entries(found[0].body):
        message = "stands before the first [section]: write its header above it"
        key = printable(split(entry)[0])
        yield 0, Note(line, key, f"{message}. {_CLOSED}", fatal=True)
        return
    if len(found) == 1:
        yield 0, Note(1, "[", f"there is no [section]: write one. {_CLOSED}")


def _wrong(block: Block, count: int) -> Note | None:
    if not is_text(block.name):
        return Note(0, printable(block.name), NOT_UTF8)
    if count > 1:
        return Note(0, f"[{block.name}]", "stands more than once: give each profile its own name")
    return None


def _namesakes(
    named: Iterable[Block], sections: Mapping[str, _Section]
) -> Steps[list[tuple[int, Note]]]:
    """Profiles that look the same to the user."""
    shown = [(block.line, p.name) for block in named if (p := sections[block.name].profile)]
    yield
    count = Counter(name for _, name in shown)
    yield
    return [
        (line, Note(0, "name", f"{name!r} is shown for {count[name]} profiles", warning=True))
        for line, name in shown
        if count[name] > 1
    ]
