"""A score for each layer and rank, as a grid of coloured cells with the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.errors import ResultError, unknown_name
from structprobe.results.settings import differing, name_banks, over_seeds, tell_seeds
from structprobe.show.pictures.style import NAMES, SCALE, axes_or_new, mean_of, put_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_rank_grid(
    rows: Sequence[Mapping[str, Any]], metric: str = "uuas", *, ax: Axes | None = None
) -> Axes:
    """Draw a score by layer and rank.

    Parameters
    ----------
    rows : sequence of mapping
        Result rows of one method, model, treebank and setting; those without a layer or a rank are
        left out. Scores are means over seeds.
    metric, ax
        As for `draw_layer_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes: layers to the right, ranks upwards; what was not run is left blank.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed, the score is unknown, no row has it with a layer and a
        rank, or rows are of several methods, models, treebanks or other settings.
    """
    if metric not in NAMES:
        raise ResultError(unknown_name("score", metric, NAMES))
    keys = metric, "layer", "rank"
    used = [row for row in name_banks(rows) if all(row.get(key) is not None for key in keys)]
    if not used:
        raise ResultError(f"no row has a layer, a rank and {NAMES[metric]}")
    for key in ("method", *differing(used)):
        values = sorted({str(row.get(key)) for row in used})
        if len(values) > 1:
            raise ResultError(
                f"rows of several {key} values in one grid: {', '.join(values)}",
                hint="draw one grid for each",
            )
    used = over_seeds(used)
    layers, ranks = (sorted({row[key] for row in used}) for key in ("layer", "rank"))
    table = np.array([[mean_of(used, metric, layer=x, rank=y) for x in layers] for y in ranks])
    ax = axes_or_new(ax, 2.2 + 0.5 * len(layers), 1.8 + 0.4 * len(ranks))
    image = ax.imshow(table, origin="lower", aspect="auto", cmap=SCALE)
    ax.set_xticks(range(len(layers)), layers)
    ax.set_yticks(range(len(ranks)), ranks)
    ax.set(xlabel="layer", ylabel="rank")
    middle = (np.nanmin(table) + np.nanmax(table)) / 2
    for (y, x), value in np.ndenumerate(table):
        if not np.isnan(value):
            colour = "white" if value < middle else "black"
            ax.text(x, y, f"{value:.1f}", ha="center", va="center", fontsize=8, color=colour)
    ax.figure.colorbar(image, ax=ax, label=f"{NAMES[metric]} in per cent")
    title = f"{NAMES[metric]} by layer and rank"
    if seeds := tell_seeds(used):
        most = max(row.get(f"{metric}_sd", 0.0) for row in used)
        title += f", means over {seeds}, standard deviation up to {100 * most:.1f}"
    put_title(ax, title, used, correlations=metric in ("dspr", "nspr"))
    return ax
