"""Stand-ins for the world outside. They keep the same promises as the real ones (see contracts)."""

from __future__ import annotations
