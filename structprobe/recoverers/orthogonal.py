"""The orthogonal probe on the best layer on dev: one rotation for distances and depths."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


class Orthogonal(BestLayer):
    """Reads distances and depths along the same axes, scaled differently for each.

    As `BestLayer`, but with an `OrthogonalProbe`, which learns one rotation for both. The fitted
    probe cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`.
    **settings
        Further arguments of `OrthogonalProbe`, such as ``coordinates``, ``l1`` and ``max_steps``.
    """

    name = "probe-orthogonal"
    order = 12
    recipe = "whitened"
    options = MappingProxyType({"max_steps": int, "l1": float, "coordinates": str})

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit an orthogonal probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.orthogonal_probe import OrthogonalProbe

        return fit_each(partial(OrthogonalProbe, **self._told()), vectors, train, dev)
