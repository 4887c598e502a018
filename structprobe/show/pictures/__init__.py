"""Pictures of results and of sentences, by matplotlib (the extra ``plot``); none shows itself."""

from structprobe.show.pictures.depths import draw_depths
from structprobe.show.pictures.distances import draw_distances
from structprobe.show.pictures.layer_curves import draw_layer_curves
from structprobe.show.pictures.principal_axes import draw_principal_axes
from structprobe.show.pictures.rank_grid import draw_rank_grid
from structprobe.show.pictures.recall import draw_recall_by_deprel, draw_recall_by_length

__all__ = [
    "draw_depths",
    "draw_distances",
    "draw_layer_curves",
    "draw_principal_axes",
    "draw_rank_grid",
    "draw_recall_by_deprel",
    "draw_recall_by_length",
]
