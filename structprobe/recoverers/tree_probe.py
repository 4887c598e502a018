"""The probe's geometry trained as a parser is, on the layer that is best on dev."""

from __future__ import annotations

from typing import Any

from structprobe.encoder import Encoder
from structprobe.errors import MethodError
from structprobe.recoverers.best_layer import BestLayer

LOSS = "tree"


class TreeProbe(BestLayer):
    """Trains the distances of a structural probe by the likelihood of the gold trees.

    All but that loss is as for `BestLayer`: the squared L2 distances, their rank, coordinates,
    batches and steps, the depth probe that tells the root, the decoding and the choice of the
    layer. So the difference between the two is the loss's alone; see
    `structprobe.probe.losses.tree_likelihood`.

    Parameters
    ----------
    encoder : Encoder
        The model.
    loss : {"tree"}
        What makes the method; no other is taken.
    **options
        All else that `BestLayer` takes.

    Raises
    ------
    MethodError
        If another loss is given.
    """

    name = "probe-tree"
    order = 11

    def __init__(self, encoder: Encoder, *, loss: str = LOSS, **options: Any) -> None:
        if loss != LOSS:
            raise MethodError(
                f"{self.name} is trained by the loss {LOSS!r}, and was given {loss!r}",
                hint="leave loss out, or use BestLayer(encoder, loss=...)",
            )
        super().__init__(encoder, loss=loss, **options)
