"""Rank correlations of predicted with gold distances and depths (DSpr. and NSpr.)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    # gold_heads (n,), distances (n, n) -> (2, n_sentences): sums of those defined, and their number
    return _sums(gold_distances(gold_heads), distances)


def depth_correlations(
    gold_depths: Sequence[NDArray[np.floating]], depths: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """Correlate each sentence's depths with the gold ones: NSpr. (Hewitt & Manning 2019, 4.1)."""
    # gold_depths (n,), depths (n,) -> (2, n_sentences), as above
    return _sums(gold_depths, depths)


def _sums(gold: Sequence[NDArray[Any]], pred: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Correlate rows (n,) or matrices (r, n), of the same length together, some at a time."""
    found = np.zeros((2, len(pred)))
    lengths = np.array([len(one) for one in pred], dtype=np.int64)
    for n in np.unique(lengths):
        same = np.flatnonzero(lengths == n)
        at_once = max(1, _CELLS_AT_ONCE // pred[same[0]].size)
        for begin in range(0, len(same), at_once):
            chosen = same[begin : begin + at_once]
            rows = (np.stack([one[i] for i in chosen]).reshape(-1, n) for one in (gold, pred))
            correlations = rank_correlations(*rows).reshape(len(chosen), -1)  # (b, r)
            defined = ~np.isnan(correlations)
            found[:, chosen] = np.where(defined, correlations, 0).sum(axis=1), defined.sum(axis=1)
    return found
