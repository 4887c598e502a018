"""Correct edges of many predictions of the same sentences: what `score` counts for UUAS.

Every attention head predicts a tree for every sentence; creating a `Prediction` for each would take
longer than the model itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.scores.attachment import scored_edges
from structprobe.scores.inputs import FlatTrees, flatten
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol, kept_words
from structprobe.tree_faults import HasHeads


@dataclass(frozen=True, slots=True, eq=False)
class PaddedGold:
    """Gold trees, padded."""

    heads: NDArray[np.int64]  # (b, n): 1-based, 0 for the root's and in the padding
    kept: NDArray[np.bool_]  # (b, n): the words that count for UUAS
    edges: NDArray[np.bool_]  # (b, n): the words whose arcs are edges that UUAS counts

    def count_right(self, pred: NDArray[np.integer]) -> NDArray[np.int64]:
        """Count the gold edges that are among the predicted ones, in either direction."""
        # pred (b, k, n) -> (k,)
        b, k, n = pred.shape
        above = np.broadcast_to(np.maximum(self.heads - 1, 0)[:, None], (b, k, n))
        back = np.take_along_axis(pred, above, axis=2) == np.arange(1, n + 1)
        right = (pred == self.heads[:, None]) | back  # (b, k, n)
        counts: NDArray[np.int64] = (right & self.edges[:, None]).sum(axis=(0, 2))
        return counts


class GoldEdges:
    """The checked gold trees of a treebank, and the edges that count for UUAS."""

    def __init__(self, gold: Sequence[HasHeads], punct: str | None = None) -> None:
        self.protocol = choose_protocol(gold, punct)
        self._trees: FlatTrees = flatten(gold, [Prediction(np.asarray(one.heads)) for one in gold])
        self._kept = kept_words(gold, self._trees.lengths, self.protocol)
        self._edges = scored_edges(self._trees, self._kept)
        self.n_edges = int(self._edges.sum())

    def padded(self, sentences: NDArray[np.integer]) -> PaddedGold:
        """Select trees."""
        # sentences (b,)
        lengths = self._trees.lengths[sentences]
        starts = np.cumsum(self._trees.lengths)[sentences] - lengths
        inside = np.arange(lengths.max()) < lengths[:, None]  # (b, n)
        place = np.where(inside, starts[:, None] + np.arange(lengths.max()), 0)
        heads = np.where(inside, self._trees.gold[place], 0)
        return PaddedGold(heads, inside & self._kept[place], inside & self._edges[place])
