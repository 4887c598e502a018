"""The polar probe on the best layer on dev: labelled trees from lengths and directions."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank


class Polar(BestLayer):
    """Finds labelled trees with the polar probe: one map whose differences have a direction.

    See `structprobe.probe.readers.polar_probe.PolarProbe`. It is fitted on every layer, and the
    layer is chosen by LAS on dev. The fitted probe cannot be saved.

    Parameters
    ----------
    encoder : Encoder
        The model.
    weight : float, optional
        As for `PolarProbe`.
    **settings
        As for `BestLayer`, with the further arguments of `PolarProbe`, such as ``rank``.
    """

    name = "polar"
    order = 10
    recipe = "axes-mild"
    criterion = "las"
    options = MappingProxyType({"rank": int, "weight": float, "max_steps": int, "subtypes": bool})

    def __init__(self, encoder: Encoder, *, weight: float | None = None, **settings: Any) -> None:
        super().__init__(encoder, weight=weight, **settings)

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a polar probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.polar_probe import PolarProbe

        return fit_each(partial(PolarProbe, **self._told()), vectors, train, dev)
