"""A biaffine parser on the best layer on dev, as an upper bound of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


class Biaffine(BestLayer):
    """Chooses the head of each word by a biaffine score of the two word vectors, as in a parser.

    It is fitted on every layer with the full number of steps, and the layer is chosen by UUAS on
    dev. UUAS and UAS are of the best directed tree over the log-probabilities of heads. The fitted
    parser cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`.
    **settings
        Further arguments of `BiaffineProbe`, such as ``rank`` and ``max_steps``.
    """

    name = "biaffine"
    order = 5
    recipe = "whitened"

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a biaffine probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.biaffine_probe import BiaffineProbe

        dev_vectors, dev_trees = dev
        return {
            layer: BiaffineProbe(**self._told()).fit(
                vectors.layer(layer), train, dev=(dev_vectors.layer(layer), dev_trees)
            )
            for layer in self.layers
        }
