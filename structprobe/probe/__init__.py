"""Probes on word vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.probe.base import NotFittedError
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.probe.layer_sweep import LayerSweep

__all__ = ["LayerSweep", "NotFittedError", "StructuralProbe"]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562), so that this import stays cheap."""
    import structprobe

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(structprobe, name)
