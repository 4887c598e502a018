"""The structural probe, trained like a parser, on the best layer on dev."""

from __future__ import annotations

from typing import Any

from structprobe.encoder import Encoder
from structprobe.errors import MethodError
from structprobe.recoverers.best_layer import BestLayer

LOSS = "tree"


class TreeProbe(BestLayer):
    """Trains a distance probe to maximise the likelihood of the gold trees.

    It differs from `BestLayer` only in the loss, see `structprobe.probe.losses.tree_likelihood`,
    and in the recipe, which is ``"whitened"``: squared L2 distances, rank, depths, decoding and the
    choice of the layer are the same.

    Parameters
    ----------
    encoder, loss, **options
        As for `BestLayer`; only the loss "tree" is accepted.

    Raises
    ------
    MethodError
        If another loss is given.
    """

    name = "probe-tree"
    order = 11
    recipe = "whitened"  # A weight decay would hold back how certain the distances are

    def __init__(self, encoder: Encoder, *, loss: str = LOSS, **options: Any) -> None:
        if loss != LOSS:
            what = f"{self.name} is trained with loss={LOSS!r}, not {loss!r}"
            raise MethodError(what, hint="leave out loss, or use BestLayer(encoder, loss=...)")
        super().__init__(encoder, loss=loss, **options)
