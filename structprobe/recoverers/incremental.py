"""An incremental parser on the best layer on dev."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


class Incremental(BestLayer):
    """Attaches each word among the words before it, as an incremental parser does.

    An `IncrementalProbe` is fitted on every layer, and the layer is chosen by UUAS on dev. UUAS and
    UAS are of the trees assembled from left to right, over all words. Of the words that are left
    without a head, one becomes the root and the others are attached to it; ``choice`` says how many
    words of dev these are. The method is tried on a few sentences of dev: if the model is not
    causal, so that vectors have seen the words that follow, ``warnings`` of its row say so. The
    fitted parser cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`.
    **settings
        Further arguments of `IncrementalProbe`, such as ``rank`` and ``max_steps``.

    Attributes
    ----------
    causal_ : bool
        Whether the vectors of words do not depend on the words that follow.
    recoverer_, curve_, chosen_
        As for `BestLayer`.
    """

    name = "probe-incremental"
    order = 6
    recipe = "whitened"

    causal_: bool
    _later_words: str | None = None  # How vectors depend on the words that follow

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Fit probes on all layers, and find out whether the model is causal."""
        from structprobe.encoder.causality import find_later_words

        super()._fit(train, dev)
        assert dev is not None  # BestLayer needs it
        layer = self.recoverer_.layer
        self._later_words = find_later_words(self.encoder, dev, layers=[layer])
        self.causal_ = self._later_words is None

    def _choose_layer(self, train: Sequence[Sentence], dev: Sequence[Sentence]) -> None:
        super()._choose_layer(train, dev)
        layer = self.recoverer_.layer
        share = self._unattached[layer]
        self.chosen_ = {"layer": layer, "choice": f"{100 * share:.1f}% of dev words unattached"}

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit an incremental probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.incremental_probe import IncrementalProbe

        probes = fit_each(partial(IncrementalProbe, **self._told()), vectors, train, dev)
        self._unattached = {
            layer: probe.unattached(dev[0].layer(layer)) for layer, probe in probes.items()
        }
        return probes

    def describe(self) -> dict[str, Any]:
        """Return the values of a result row; its warnings say if the model is not causal."""
        told = super().describe()
        if self._later_words is not None:
            what = (
                f"no incremental parser, since vectors depend on later words: {self._later_words}"
            )
            told["warnings"] = [*told.get("warnings", ()), what]
        return told
