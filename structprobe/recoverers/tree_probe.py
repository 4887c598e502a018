"""The structural probe, trained like a parser, on the best layer on dev."""

from __future__ import annotations

from typing import Any

from structprobe.encoder import Encoder
from structprobe.errors import MethodError
from structprobe.recoverers.best_layer import BestLayer

LOSS = "tree"


class TreeProbe(BestLayer):
    """Trains the distances of a structural probe by the likelihood of the gold trees.

    Everything except the loss is the same as for `BestLayer`: squared L2 distances, rank, training,
    the depth probe for the root, decoding and the choice of the layer. Differences between the two
    are thus due to the loss; see `structprobe.probe.losses.tree_likelihood`.

    Parameters
    ----------
    encoder : Encoder
        The model.
    loss : {"tree"}
        Only "tree" is accepted.
    **options
        Further arguments of `BestLayer`.

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
                f"{self.name} is trained with loss={LOSS!r}, not {loss!r}",
                hint="leave out loss, or use BestLayer(encoder, loss=...)",
            )
        super().__init__(encoder, loss=loss, **options)
