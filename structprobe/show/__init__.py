"""What a reader sees of result rows; each name is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structprobe.show.heat_map import draw_heat_map
    from structprobe.show.pictures import (
        draw_depths,
        draw_distances,
        draw_layer_curves,
        draw_principal_axes,
        draw_rank_grid,
        draw_recall_by_deprel,
        draw_recall_by_length,
    )
    from structprobe.show.plotting import plot_folder
    from structprobe.show.table import format_table

__all__ = [
    "draw_depths",
    "draw_distances",
    "draw_heat_map",
    "draw_layer_curves",
    "draw_principal_axes",
    "draw_rank_grid",
    "draw_recall_by_deprel",
    "draw_recall_by_length",
    "format_table",
    "plot_folder",
]

_HOME = {"draw_heat_map": "heat_map", "format_table": "table", "plot_folder": "plotting"}


def __getattr__(name: str) -> object:
    """Import a public name from its file when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'structprobe.show' has no attribute {name!r}")
    home = _HOME.get(name, "pictures")
    value = getattr(importlib.import_module(f"structprobe.show.{home}"), name)
    globals()[name] = value
    return value
