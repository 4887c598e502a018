"""Perturbed masking: trees from the effect of masking one word on another."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError, unknown_name
from structprobe.recoverers.base import Recoverer, gold_root
from structprobe.recoverers.linear import LinearChain
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence
from structprobe.trees import arborescence, eisner, spanning_tree

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_logger = logging.getLogger(__name__)

DECODERS = ("mst", "cle", "eisner")
ROOTS = ("impact", "gold")


class Perturbed(Recoverer):
    """Recovers trees by perturbed masking (Wu et al. 2020); nothing is trained.

    The impact of word j on word i is how much masking j changes the output of the model for the
    masked word i (`structprobe.masking.impacts.MaskedImpacts`).

    Parameters
    ----------
    encoder : Encoder
        A model with a mask token.
    decoder : {"mst", "cle", "eisner"}
        ``"mst"``: the maximum spanning tree of the mean impact of each pair, directed from the
        root. The others score head j for word i by the impact of j on i: ``"cle"`` finds the best
        tree (Chu-Liu/Edmonds), ``"eisner"`` the best projective tree.
    measure : {"distance", "probability"}
        How the impact is measured.
    root : {"impact", "gold"}
        ``"impact"``: the word with the highest mean impact on the others (the first, in a tie);
        ``"gold"``: the gold root (like Wu et al. for ``"cle"`` and ``"eisner"``), which also sets
        `uses_gold`.
    layer : int, optional
        The layer whose vectors are compared; by default the last.
    limit : int, optional
        Maximum sentence length, in words, since the number of passes is quadratic in it; by default
        unlimited. Longer sentences, and those that do not fit into the model, get the linear chain;
        ``chosen_["choice"]`` says so, after `predict` with their number.
    progress : bool, optional
        Whether to show a progress bar; by default if stderr is a terminal.

    Raises
    ------
    EncoderError
        As for `MaskedImpacts`.
    ProbeError
        If `decoder` or `root` is unknown.

    Notes
    -----
    Predictions of ``"mst"`` have distances (the highest impact in the sentence minus the pair's, 0
    on the diagonal) and those of ``"cle"`` have arc scores, so that UUAS decodes them again over
    the kept words. Those of ``"eisner"`` have only heads, since decoding again would allow crossing
    arcs. Unless the gold root is used, depths are the negative mean impacts.

    Impacts are kept in memory for other decoders on the same encoder, so the first of these methods
    takes most of the time.
    """

    name = "perturbed"
    reads_head = True  # for the measure "probability"
    from_context = ("encoder", "progress")
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "perturbed": {},
            "perturbed-cle": {"decoder": "cle"},
            "perturbed-eisner": {"decoder": "eisner"},
            "perturbed-cle-gold-root": {"decoder": "cle", "root": "gold"},
            "perturbed-eisner-gold-root": {"decoder": "eisner", "root": "gold"},
            "perturbed-probability": {"measure": "probability"},
        }
    )
    options = MappingProxyType(
        {"decoder": str, "measure": str, "root": str, "layer": int, "limit": int}
    )

    def __init__(
        self,
        encoder: Encoder,
        *,
        decoder: str = "mst",
        measure: str = "distance",
        root: str = "impact",
        layer: int | None = None,
        limit: int | None = None,
        progress: bool | None = None,
    ) -> None:
        from structprobe.masking.impacts import MaskedImpacts

        if decoder not in DECODERS:
            raise ProbeError(unknown_name("decoder", decoder, DECODERS))
        if root not in ROOTS:
            raise ProbeError(unknown_name("root", root, ROOTS))
        self.reader = MaskedImpacts(encoder, measure=measure, layer=layer, limit=limit)
        self.encoder, self.decoder, self.progress = encoder, decoder, progress
        self.uses_gold = root == "gold"
        parts = [self.name, decoder.removeprefix("mst"), measure.removeprefix("distance")]
        self.name = "-".join(filter(None, [*parts, "gold-root" * self.uses_gold]))
        self._longer = "too long for the model"
        self._told: dict[str, Any] = {"layer": self.reader.layer}
        if limit is not None:
            self._longer = f"with more than {limit} words"
            self._told["choice"] = f"linear chain for sentences {self._longer}"
        self.chosen_ = self._told

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence; heads are used only for the gold root."""
        if not len(sentences):
            return []
        chains = LinearChain().predict(sentences)
        given = [gold_root(one, self.name) if self.uses_gold else None for one in sentences]
        impacts = self.reader.recall(sentences, self.progress)
        self.chosen_ = self._told
        if skipped := sum(matrix is None for matrix in impacts):
            told = f"linear chain for {skipped:,} of {len(impacts):,} sentences, {self._longer}"
            self.chosen_ = {**self._told, "choice": told}
            _logger.warning("%s: %s", self.name, told)
        return [
            chain if matrix is None else _decode(matrix, self.decoder, root)
            for chain, matrix, root in zip(chains, impacts, given, strict=True)
        ]


def _decode(impacts: NDArray[np.float32], decoder: str, gold_root: int | None) -> Prediction:
    """Decode the impacts within one sentence; the gold root is given from 1."""
    n = len(impacts)
    influence = impacts.sum(axis=0, dtype=np.float64) / max(1, n - 1)  # (n,), on the others
    root = int(influence.argmax()) + 1 if gold_root is None else gold_root
    depths = -influence if gold_root is None else None
    if decoder == "mst":
        closeness = (impacts + impacts.T) / 2
        distances = closeness.max(where=~np.eye(n, dtype=bool), initial=-np.inf) - closeness
        np.fill_diagonal(distances, 0)
        return Prediction(spanning_tree(distances, root - 1), distances=distances, depths=depths)
    scores = np.full((n, n + 1), -np.inf)
    scores[:, 1:], scores[root - 1, 0] = impacts, 0
    if decoder == "cle":
        return Prediction(arborescence(scores), arc_scores=scores, depths=depths)
    return Prediction(eisner(scores), depths=depths)
