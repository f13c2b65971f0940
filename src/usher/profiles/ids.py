"""Names of profiles that every client can send back."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import count
from typing import Final
from unicodedata import normalize

LONGEST: Final = 200
_SAFE: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._~-]{{0,{LONGEST - 1}}}", re.ASCII)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._~]+", re.ASCII)

# X2Go Client does not show the one; the other means "no section" to its INI reader.
_RESERVED: Final = frozenset(["embedded", "general"])


def safe_ids(sections: Collection[str]) -> dict[str, str]:
    """The id of every section: its own name, or else one made from nothing but that name."""
    ids = {name: name for name in sections if is_safe(name)}
    taken = set(ids)
    for name in sorted(set(sections) - taken):
        ids[name] = next(made for made in _made(name) if made not in taken)
        taken.add(ids[name])
    return ids


def is_safe(name: str) -> bool:
    """Can clients send it back as it is?"""
    return bool(_SAFE.fullmatch(name)) and name.lower() not in _RESERVED


def _made(name: str) -> Iterator[str]:
    """Ids for a name, the usual one first."""
    ascii_alone = normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = _UNSAFE.sub("-", ascii_alone).lstrip("._~-").rstrip("-")
    content = name.encode("utf-8", "surrogatepass")
    for attempt in count():
        digest = blake2b(content, digest_size=4, salt=attempt.to_bytes(16, "big")).hexdigest()
        yield f"{slug[:40] or 'profile'}-{digest}"
