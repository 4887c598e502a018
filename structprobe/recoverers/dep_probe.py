"""DepProbe on the best layer on dev: labelled trees from distances and the words' own relations."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


class BestDepProbe(BestLayer):
    """Finds labelled trees with DepProbe: distances, and relations read from each word alone.

    See `structprobe.probe.readers.dep_probe.DepProbe`. It is fitted on every layer, and the layer
    is chosen by LAS on dev. The fitted probe cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`; ``punct`` makes no difference to LAS.
    **settings
        Further arguments of `DepProbe`, such as ``rank``, ``subtypes`` and ``max_steps``.
    """

    name = "depprobe"
    order = 10
    criterion = "las"
    options = MappingProxyType({"rank": int, "max_steps": int, "subtypes": bool})

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a DepProbe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.dep_probe import DepProbe

        told = {"recipe": self.recipe} | self._told()
        return fit_each(partial(DepProbe, **told), vectors, train, dev)
