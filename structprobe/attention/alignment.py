"""Dependency alignment: the share of a head's attention on the arcs of a tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.attention.targets import check_weights, pair_sums


class Alignment:
    """Attention on pairs of words connected by an arc, summed over batches."""

    def __init__(self, n_layers: int, n_heads: int, *, first_is_special: bool) -> None:
        self.first_is_special = first_is_special
        self._on_arcs, self._total = np.zeros((2, n_layers, n_heads))

    def add(self, weights: NDArray[np.floating], heads: NDArray[np.integer]) -> None:
        """Add a padded batch."""
        # weights (b, n_layers, n_heads, n, n), heads (b, n)
        check_weights(weights, heads=heads)
        arcs = _joined(heads)
        counted = np.ones_like(arcs)
        counted[:, :, 0] = self.first_is_special
        on_arcs, total = pair_sums(weights, np.stack([arcs & counted, counted], axis=1))
        self._on_arcs += on_arcs
        self._total += total

    @property
    def share(self) -> NDArray[np.float64]:
        """Shares (n_layers, n_heads); NaN if a head attends to no counted word."""
        nothing = np.full_like(self._total, np.nan)
        return np.divide(self._on_arcs, self._total, out=nothing, where=self._total > 0)


def shuffled_heads(heads: ArrayLike, generator: np.random.Generator) -> NDArray[np.int64]:
    """Assign the words of a sentence to the nodes of its tree at random, all orders alike."""
    # heads (n,) -> (n,)
    old = np.asarray(heads, dtype=np.int64)
    place = generator.permutation(len(old))
    new = np.zeros_like(old)
    new[place] = np.where(old > 0, place[old - 1] + 1, 0)
    return new


def _joined(heads: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether two words are connected by an arc in either direction (b, n, n)."""
    b, n = heads.shape
    joined = np.zeros((b, n, n), dtype=np.bool_)
    sentence, word = np.nonzero(heads > 0)
    head = heads[sentence, word] - 1
    joined[sentence, word, head] = joined[sentence, head, word] = True
    return joined
