"""Probes on word vectors. Public names are imported on first use, so that this import is cheap."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.probe.layer_sweep import LayerSweep
    from structprobe.probe.not_fitted import NotFittedError

_HOME = {
    "LayerSweep": "structprobe.probe.layer_sweep",
    "NotFittedError": "structprobe.probe.not_fitted",
    "StructuralProbe": "structprobe.probe.estimator",
}

__all__ = ["LayerSweep", "NotFittedError", "StructuralProbe"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
