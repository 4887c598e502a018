"""Probes on word vectors: the geometry, the recipes that find it, and the estimator.

The public names are imported when they are first used, so that importing the room is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.probe.not_fitted import NotFittedError

__all__ = ["NotFittedError", "StructuralProbe"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "StructuralProbe":
        return importlib.import_module("structprobe.probe.estimator").StructuralProbe
    if name == "NotFittedError":
        return importlib.import_module("structprobe.probe.not_fitted").NotFittedError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
