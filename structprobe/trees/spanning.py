"""Minimum spanning trees of word-by-word distances, rooted and directed.

Prim (1957), 'Shortest connection networks and some generalizations', over padded batches: one step
adds one word to the tree of every sentence. All edges of a sentence are first put in one strict
order, by (distance, i, j) with i < j, so that its minimum spanning tree is unique: it
depends neither on the root, nor on the batch or the padding, nor on the platform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError
from structprobe.trees.grouping import group_by_length, pad


def spanning_tree(distances: ArrayLike, root: int = 0) -> NDArray[np.intp]:
    """Minimum spanning tree of one sentence.

    Parameters
    ----------
    distances : array_like, shape (n, n)
        Distances between words, as for `spanning_trees`.
    root : int
        The word, 0-based, from which the tree is directed.

    Returns
    -------
    ndarray of int, shape (n,)
        The head of each word, 1-based, 0 for the root's.

    Raises
    ------
    TreeError
        As `spanning_trees`.

    Examples
    --------
    The edges 1-2 (distance 1) and 0-1 (distance 2) join all words; 0-2 (distance 4) is left out.

    >>> spanning_tree([[0, 2, 4], [2, 0, 1], [4, 1, 0]], root=1).tolist()
    [2, 0, 2]

    Equal distances: 0-1 comes before 0-2, and that before 1-2.

    >>> spanning_tree([[0, 3, 3], [3, 0, 3], [3, 3, 0]], root=2).tolist()
    [3, 1, 0]
    """
    distances = np.asarray(distances)
    return spanning_trees(distances[None], distances.shape[:1], [root])[0]


def spanning_trees(distances: ArrayLike, lengths: ArrayLike, roots: ArrayLike) -> NDArray[np.intp]:
    """Minimum spanning trees of a padded batch of sentences.

    Parameters
    ----------
    distances : array_like, shape (b, n, n)
        Distances between words. Zero and negative distances are distances like any other. Each is
        averaged with its mirror, since products of matrices are symmetrical only up to rounding;
        the diagonal and the padding are not looked at.
    lengths : array_like of int, shape (b,)
        The number of words of each sentence.
    roots : array_like of int, shape (b,)
        The word of each sentence, 0-based, from which its tree is directed.

    Returns
    -------
    ndarray of int, shape (b, n)
        The head of each word, 1-based, 0 for the root's, -1 in the padding.

    Raises
    ------
    TreeError
        If a distance is NaN or infinite, shapes do not fit, or a root is no word.

    Examples
    --------
    >>> near, far = [[0, 1, 9], [1, 0, 9], [9, 9, 9]], [[0, 2, 4], [2, 0, 1], [4, 1, 0]]
    >>> spanning_trees([near, far], lengths=[2, 3], roots=[0, 1]).tolist()
    [[0, 1, -1], [2, 0, 2]]
    """
    distances = np.asarray(distances)
    lengths, roots = np.asarray(lengths, dtype=np.intp), np.asarray(roots, dtype=np.intp)
    b, n = (*distances.shape, 0)[:2]
    if distances.shape != (b, n, n) or lengths.shape != (b,) or roots.shape != (b,):
        raise TreeError(
            f"distances of shape {distances.shape} do not go with lengths of shape {lengths.shape}"
            f" and roots of shape {roots.shape}",
            hint="give distances (b, n, n), lengths (b,) and roots (b,)",
        )
    return _spanning_trees(distances, lengths, roots, np.arange(b))


def decode_rooted(
    distances: Sequence[ArrayLike], depths: Sequence[ArrayLike]
) -> list[NDArray[np.intp]]:
    """Decode trees from predicted distances and depths, in padded batches of like length.

    The minimum spanning tree of the distances, rooted at the shallowest word and directed by the
    tree (Hewitt & Manning 2019, section 4.1, with the root of section 4.2).

    Parameters
    ----------
    distances : sequence of array_like, shape (n, n)
        Distances between the words of each sentence, as for `spanning_trees`.
    depths : sequence of array_like, shape (n,)
        The depth of each word; the first of the least deep words becomes the root.

    Returns
    -------
    list of ndarray of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root's.

    Raises
    ------
    TreeError
        As `spanning_trees`, the sentence named by its index, counted from 0; and if a depth is
        NaN or depths and distances do not go together.

    Examples
    --------
    >>> distances = [[0, 2, 4], [2, 0, 1], [4, 1, 0]]
    >>> [heads.tolist() for heads in decode_rooted([distances, [[0]]], [[1.2, 0.3, 2.0], [5]])]
    [[2, 0, 2], [0]]
    """
    matrices, rows = [np.asarray(one) for one in distances], [np.asarray(one) for one in depths]
    if len(matrices) != len(rows):
        raise TreeError(f"distances of {len(matrices)} sentences and depths of {len(rows)}")
    for index, (matrix, row) in enumerate(zip(matrices, rows, strict=True)):
        if row.ndim != 1 or len(row) < 1 or matrix.shape != (len(row), len(row)):
            raise TreeError(
                f"distances of shape {matrix.shape} do not go with depths of shape {row.shape}",
                where=f"sentence {index} (counted from 0)",
                hint="give distances (n, n) and depths (n,) of the same n words",
            )
    lengths = np.array([len(row) for row in rows], dtype=np.intp)
    found: list[NDArray[np.intp]] = [np.empty(0, np.intp)] * len(rows)
    for group in group_by_length(lengths):
        depth = pad([rows[index] for index in group], fill=np.inf, dtype=np.float64)
        wrong = np.argwhere(np.isnan(depth))
        if len(wrong):
            raise TreeError(
                f"the depth of word {wrong[0, 1] + 1} (counted from 1) is NaN",
                where=f"sentence {group[wrong[0, 0]]} (counted from 0)",
            )
        batch = pad([matrices[index] for index in group], dtype=np.float64)
        heads = _spanning_trees(batch, lengths[group], depth.argmin(axis=1), group)
        for index, row in zip(group, heads, strict=True):
            found[index] = row[: lengths[index]]
    return found


def _spanning_trees(
    distances: NDArray[np.number],
    lengths: NDArray[np.intp],
    roots: NDArray[np.intp],
    names: NDArray[np.intp],
) -> NDArray[np.intp]:
    """`spanning_trees` of a batch whose rows are sentences `names` to the user."""
    b, n, _ = distances.shape
    wrong = np.flatnonzero((lengths < 1) | (lengths > n) | (roots < 0) | (roots >= lengths))
    if len(wrong):
        raise TreeError(
            f"root {roots[wrong[0]]} (0-based) is no word of {lengths[wrong[0]]} in {n}",
            where=f"sentence {names[wrong[0]]} (counted from 0)",
        )
    order = _edge_order(distances, lengths, names)  # (b, n, n)
    rows = np.arange(b)
    heads = np.zeros((b, n), dtype=np.intp)
    outside = np.ones((b, n), dtype=np.bool_)
    outside[rows, roots] = False
    # For every word outside the tree, the first edge that joins it, and that edge's other end.
    nearest = order[rows, roots]  # (b, n)
    link = np.repeat(roots[:, None], n, axis=1)  # (b, n)
    last = np.iinfo(order.dtype).max
    for _ in range(n - 1):
        new = np.where(outside, nearest, last).argmin(axis=1)  # (b,)
        heads[rows, new] = link[rows, new] + 1
        outside[rows, new] = False
        joins = order[rows, new]  # (b, n)
        link = np.where(joins < nearest, new[:, None], link)
        nearest = np.minimum(nearest, joins)
    # Edges to the padding come last in the order, so that padding joins after all words.
    heads[np.arange(n) >= lengths[:, None]] = -1
    return heads


def _edge_order(
    distances: NDArray[np.number], lengths: NDArray[np.intp], names: NDArray[np.intp]
) -> NDArray[np.int32]:
    """Place of each edge in the order by (distance, i, j), as symmetrical matrices (b, n, n)."""
    b, n, _ = distances.shape
    i, j = np.triu_indices(n, 1)  # (e,): row by row, so that a stable sort keeps (i, j)
    real = j < lengths[:, None]  # (b, e)
    upper = np.where(real, distances[:, i, j], 0).astype(np.float64, copy=False)
    lower = np.where(real, distances[:, j, i], 0).astype(np.float64, copy=False)
    wrong = np.argwhere(~np.isfinite(upper) | ~np.isfinite(lower))
    if len(wrong):
        row, edge = wrong[0]
        raise TreeError(
            f"the distance of words {i[edge] + 1} and {j[edge] + 1} (counted from 1) is"
            f" {upper[row, edge]:g} one way and {lower[row, edge]:g} the other",
            where=f"sentence {names[row]} (counted from 0)",
            hint="distances must be finite numbers",
        )
    values = np.where(real, upper / 2 + lower / 2, np.inf)
    by_value = np.argsort(values, axis=1, kind="stable")  # (b, e)
    place = np.empty_like(by_value, dtype=np.int32)
    np.put_along_axis(place, by_value, np.arange(len(i), dtype=np.int32)[None], axis=1)
    order = np.full((b, n, n), np.iinfo(np.int32).max, dtype=np.int32)
    order[:, i, j] = order[:, j, i] = place
    return order
