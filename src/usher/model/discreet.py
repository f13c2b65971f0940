"""Values with something in them that no log may have."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """Its representation leaves out the fields named in ``SECRET``."""

    SECRET: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        """As that of any other value, but for what is secret."""
        told = (name for name in self.__struct_fields__ if name not in self.SECRET)
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in told)
        return f"{type(self).__name__}({fields})"
