"""Rank correlations of predicted with gold distances and depths (DSpr. and NSpr.)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.trees import gold_distances

_CELLS_AT_ONCE = 1 << 21  # of distance matrices, to bound memory


def centred_ranks(rows: ArrayLike) -> NDArray[np.float64]:
    """Rank the values of each row, ties by mean rank; doubled and centred, to be integers."""
    # rows (r, n) -> (r, n)
    from scipy.stats import rankdata  # here, since a parse file has no distances to rank

    ranks: NDArray[np.float64] = rankdata(rows, axis=1)
    centred: NDArray[np.float64] = 2.0 * ranks - (ranks.shape[1] + 1)
    return centred


def rank_correlations(gold: ArrayLike, pred: ArrayLike) -> NDArray[np.float64]:
    """Spearman's rank correlation of each row of one array with that row of another."""
    # gold (r, n), pred (r, n) -> (r,)
    gold_ranks, pred_ranks = centred_ranks(gold), centred_ranks(pred)
    # Centred ranks are integers, so these sums are exact and a constant row gives just 0.
    norms = np.prod([np.einsum("rn,rn->r", one, one) for one in (gold_ranks, pred_ranks)], axis=0)
    products = np.einsum("rn,rn->r", gold_ranks, pred_ranks)
    found = np.full(len(norms), np.nan)
    np.divide(products, np.sqrt(norms), out=found, where=norms > 0)
    return found


def distance_correlations(
    gold_heads: Sequence[NDArray[np.integer]], distances: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """Correlate each word's distances with the gold ones: DSpr. (Hewitt & Manning 2019, 4.1)."""
    # gold_heads (n,), distances (n, n) -> (2, n_sentences)
    gold_matrices = gold_distances(gold_heads)

    def correlate(chosen: list[int], n: int) -> NDArray[np.float64]:
        gold = np.stack([gold_matrices[index] for index in chosen])  # (b, n, n)
        pred = np.stack([distances[index] for index in chosen])  # (b, n, n)
        found = rank_correlations(gold.reshape(-1, n), pred.reshape(-1, n)).reshape(-1, n)
        return _sums(found)

    return _by_length([len(heads) for heads in gold_heads], correlate, lambda n: n * n)


def depth_correlations(
    gold_depths: Sequence[NDArray[np.floating]], depths: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """Correlate each sentence's depths with the gold ones: NSpr. (Hewitt & Manning 2019, 4.1)."""
    # gold_depths (n,), depths (n,) -> (2, n_sentences)

    def correlate(chosen: list[int], n: int) -> NDArray[np.float64]:
        del n
        gold = np.stack([gold_depths[index] for index in chosen])  # (b, n)
        pred = np.stack([depths[index] for index in chosen])  # (b, n)
        return _sums(rank_correlations(gold, pred)[:, None])

    return _by_length([len(row) for row in depths], correlate, lambda n: n)


def _by_length(
    lengths: Sequence[int],
    correlate: Callable[[list[int], int], NDArray[np.float64]],
    cells: Callable[[int], int],
) -> NDArray[np.float64]:
    """Process sentences of the same length together, some at a time."""
    found = np.zeros((2, len(lengths)))
    each = np.asarray(lengths, dtype=np.int64)
    for n in np.unique(each):
        same = np.flatnonzero(each == n)
        at_once = max(1, _CELLS_AT_ONCE // cells(int(n)))
        for begin in range(0, len(same), at_once):
            chosen = same[begin : begin + at_once]
            found[:, chosen] = correlate(chosen.tolist(), int(n))
    return found


def _sums(correlations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the defined correlations of each row and count them: (r, n) -> (2, r)."""
    defined = ~np.isnan(correlations)
    return np.stack([np.where(defined, correlations, 0.0).sum(axis=1), defined.sum(axis=1)])
