"""The polar probe on the best layer on dev: labelled trees from lengths and directions."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


class Polar(BestLayer):
    """Finds labelled trees with the polar probe: one map whose differences have a direction.

    See `structprobe.probe.readers.polar_probe.PolarProbe`. It is fitted on every layer, and the
    layer is chosen by LAS on dev. The fitted probe cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`.
    **settings
        Further arguments of `PolarProbe`, such as ``rank``, ``weight`` and ``max_steps``.
    """

    name = "polar"
    order = 10
    recipe = "axes-mild"
    criterion = "las"
    options = MappingProxyType({"rank": int, "weight": float, "max_steps": int, "subtypes": bool})

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a polar probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.polar_probe import PolarProbe

        return fit_each(partial(PolarProbe, **self._told()), vectors, train, dev)
