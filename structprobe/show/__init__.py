"""What a reader sees of result rows; each name is imported when it is first used (PEP 562)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.show.pictures.depths import draw_depths
    from structprobe.show.pictures.distances import draw_distances
    from structprobe.show.pictures.heat_map import draw_heat_map
    from structprobe.show.pictures.layer_curves import draw_layer_curves, draw_learning_curves
    from structprobe.show.pictures.principal_axes import draw_principal_axes
    from structprobe.show.pictures.rank_grid import draw_rank_grid
    from structprobe.show.pictures.recall import draw_recall_by_deprel, draw_recall_by_length
    from structprobe.show.pictures.unfolding import draw_unfolding
    from structprobe.show.plotting import plot_folder
    from structprobe.show.table import format_table

_RECALL = "pictures.recall"
_HOME = {"format_table": "table", "plot_folder": "plotting",
         "draw_learning_curves": "pictures.layer_curves", "draw_recall_by_deprel": _RECALL,
         "draw_recall_by_length": _RECALL}  # fmt: skip
__all__ = ["draw_depths", "draw_distances", "draw_heat_map", "draw_layer_curves",
           "draw_learning_curves", "draw_principal_axes", "draw_rank_grid",
           "draw_recall_by_deprel", "draw_recall_by_length", "draw_unfolding",
           "format_table", "plot_folder"]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'structprobe.show' has no attribute {name!r}")
    home = _HOME.get(name, f"pictures.{name.removeprefix('draw_')}")
    value = getattr(importlib.import_module(f"structprobe.show.{home}"), name)
    globals()[name] = value
    return value
