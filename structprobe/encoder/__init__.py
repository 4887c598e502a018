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
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "encoder" if name == "Encoder" else "vectors"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
