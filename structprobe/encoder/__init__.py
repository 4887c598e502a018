"""From sentences to word vectors. Public names are imported on first use (cheap import)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank, WordVectors

__all__ = ["EncodedBank", "Encoder", "WordVectors"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "Encoder":
        return importlib.import_module("structprobe.encoder.encoder").Encoder
    if name in ("EncodedBank", "WordVectors"):
        return getattr(importlib.import_module("structprobe.encoder.vectors"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
