"""Perturbed masking: trees from the effect of masking one word on another."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError, unknown_name
from structprobe.recoverers.base import Recoverer, bracketed, gold_root
from structprobe.recoverers.linear import chains_for_missing, longer_than
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
    masked word i.

    Parameters
    ----------
    encoder : Encoder
        A model with a mask token.
    decoder : {"mst", "cle", "eisner"}
        ``"mst"``: the maximum spanning tree of the mean impact of each pair, directed from the
        root. The others score head j for word i by the impact of j on i: ``"cle"`` finds the best
        tree (Chu-Liu/Edmonds), ``"eisner"`` the best projective tree.
    measure : {"distance", "probability", "pmi"}
        How the impact is measured: by the distance between the vectors of word i, by the fall of
        its probability (averaged over its subwords), or by the fall of its log-probability (its
        subwords scored left to right, see `CPMI`). The last two need a model with its head.
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
    near : float, default 0.0
        Weight of a preference for short arcs: ``near * s * log(|i - j|)`` is subtracted from the
        impact of word j on word i, where s is the mean absolute impact in the sentence. By default
        there is none; a large weight gives the linear chain. Roots and depths do not change.
    unmasked : bool, default False
        Whether to leave word i as it is when its vector or probability is read, so that only word j
        is masked. The number of passes is then linear in sentence length.
    progress : bool, optional
        Whether to show a progress bar; by default if stderr is a terminal.

    Raises
    ------
    EncoderError
        If the model has no mask token, or not the head that `measure` needs; `measure` is unknown,
        or compares masked words only (``"pmi"``) and `unmasked` is set; or the model has no such
        layer.
    ProbeError
        If `decoder` or `root` is unknown, or `near` is negative or not finite.

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
    reads_head = True  # for all measures but "distance"
    from_context = ("encoder", "progress")
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "perturbed": {},
            "perturbed-cle": {"decoder": "cle"},
            "perturbed-eisner": {"decoder": "eisner"},
            "perturbed-cle-gold-root": {"decoder": "cle", "root": "gold"},
            "perturbed-eisner-gold-root": {"decoder": "eisner", "root": "gold"},
            "perturbed-probability": {"measure": "probability"},
            "perturbed-unmasked": {"unmasked": True},
        }
    )
    options: Mapping[str, type] = MappingProxyType(
        {
            "decoder": str,
            "measure": str,
            "root": str,
            "layer": int,
            "limit": int,
            "near": float,
            "unmasked": bool,
        }
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
        near: float = 0.0,
        unmasked: bool = False,
        progress: bool | None = None,
    ) -> None:
        from structprobe.masking.impacts import MaskedImpacts

        if decoder not in DECODERS:
            raise ProbeError(unknown_name("decoder", decoder, DECODERS))
        if root not in ROOTS:
            raise ProbeError(unknown_name("root", root, ROOTS))
        if not 0 <= near < np.inf:
            raise ProbeError(f"near must be a finite number of at least 0, got {near!r}")
        self.reader = MaskedImpacts(
            encoder, measure=measure, layer=layer, limit=limit, unmasked=unmasked
        )
        self.encoder, self.decoder, self.progress = encoder, decoder, progress
        self.uses_gold = root == "gold"
        self._near = float(near)
        parts = [self.name, decoder.removeprefix("mst"), measure.removeprefix("distance")]
        parts += ["unmasked" * unmasked, "gold-root" * self.uses_gold]
        name = "-".join(filter(None, parts))
        self.name = bracketed(name, {"layer": layer, "limit": limit, "near": near or None})
        self._limit = limit
        self._told: dict[str, Any] = {"layer": self.reader.layer}
        if limit is not None:
            self._told["choice"] = f"linear chain for sentences {longer_than(limit)}"
        self.chosen_ = self._told

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence; heads are used only for the gold root."""
        if not len(sentences):
            return []
        given = [gold_root(one, self.name) if self.uses_gold else None for one in sentences]
        impacts = self.reader.recall(sentences, self.progress)
        trees = [
            None if matrix is None else self._decode(matrix, root)
            for matrix, root in zip(impacts, given, strict=True)
        ]
        found, choice = chains_for_missing(sentences, trees, self._limit)
        self.chosen_ = self._told
        if choice:
            self.chosen_ = {**self._told, "choice": choice}
            _logger.warning("%s: %s", self.name, choice)
        return found

    def _decode(self, impacts: NDArray[np.floating], gold_root: int | None) -> Prediction:
        """Decode the impacts (n, n) within one sentence; the gold root is given from 1."""
        n = len(impacts)
        influence = impacts.sum(axis=0, dtype=np.float64) / max(1, n - 1)  # (n,), on the others
        root = int(influence.argmax()) + 1 if gold_root is None else gold_root
        depths = -influence if gold_root is None else None
        if self._near:
            impacts = impacts - self._near * _lengths(impacts)
        if self.decoder == "mst":
            return tree_of_pairs((impacts + impacts.T) / 2, root, depths)
        scores = np.full((n, n + 1), -np.inf)
        scores[:, 1:], scores[root - 1, 0] = impacts, 0
        if self.decoder == "cle":
            return Prediction(arborescence(scores), arc_scores=scores, depths=depths)
        return Prediction(eisner(scores), depths=depths)


def tree_of_pairs(
    closeness: NDArray[np.floating], root: int, depths: NDArray[np.float64] | None
) -> Prediction:
    """Find the maximum spanning tree of symmetric scores (n, n), directed from a root, from 1."""
    n = len(closeness)
    distances = closeness.max(where=~np.eye(n, dtype=bool), initial=-np.inf) - closeness
    np.fill_diagonal(distances, 0)
    return Prediction(spanning_tree(distances, root - 1), distances=distances, depths=depths)


def _lengths(impacts: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the logarithm of the length of each arc, in units of the mean absolute impact."""
    # (n, n) -> (n, n)
    n = len(impacts)
    place = np.arange(n)
    length = np.maximum(np.abs(place[:, None] - place), 1)
    scale = np.abs(impacts).sum(dtype=np.float64) / max(1, n * (n - 1))
    lengths: NDArray[np.float64] = scale * np.log(length)
    return lengths
