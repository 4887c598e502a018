"""Gold depths, distances and edges from heads, for one tree or several.

All functions check that the heads are trees: exactly one root, no cycle, heads in range. Depths
are computed by pointer doubling over all words of all sentences; distances by induction over words
in an order in which heads come before their dependents: the distance from a new word to any earlier
one is that of its head, plus one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from structprobe.errors import TreeError
from structprobe.tree_faults import checked_depths, join_heads
from structprobe.trees.padding import group_by_length, pad


def tree_depths(heads: ArrayLike) -> NDArray[np.intp]:
    """Count the arcs between each word and the root of its tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of int, shape (n,)
        The depth of each word; 0 for the root.

    Raises
    ------
    TreeError
        If the heads are not a tree.

    Examples
    --------
    "the dog chased cats": *chased* is the root.

    >>> tree_depths([2, 3, 0, 3]).tolist()
    [2, 1, 0, 1]
    """
    flat, lengths = join_heads([heads])
    return checked_depths(flat, lengths)


def tree_distances(heads: ArrayLike) -> NDArray[np.intp]:
    """Count the edges on the path between each pair of words in a tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        As for `tree_depths`, with the same errors.

    Returns
    -------
    ndarray of int, shape (n, n)
        Symmetric, with a zero diagonal.

    Examples
    --------
    >>> tree_distances([2, 3, 0, 3]).tolist()
    [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]
    """
    return gold_distances([heads])[0].astype(np.intp)


def edges(heads: ArrayLike) -> NDArray[np.intp]:
    """List the undirected edges of a tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        As for `tree_depths`, with the same errors.

    Returns
    -------
    ndarray of int, shape (n - 1, 2)
        Pairs of 0-based word positions ``i < j``, sorted.

    Examples
    --------
    >>> edges([2, 3, 0, 3]).tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    flat, lengths = join_heads([heads])
    checked_depths(flat, lengths)
    dependents = np.flatnonzero(flat)
    pairs = np.sort(np.stack([dependents, flat[dependents] - 1], axis=1), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def gold_depths(heads: Sequence[ArrayLike]) -> list[NDArray[np.int16]]:
    """Compute the word depths of several trees.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root.

    Returns
    -------
    list of ndarray of int16, shape (n,)
        One array per sentence, as from `tree_depths`.

    Raises
    ------
    TreeError
        If the heads of a sentence are not a tree; the message gives its 0-based index.

    Examples
    --------
    >>> [depths.tolist() for depths in gold_depths([[2, 0], [0, 1, 2]])]
    [[1, 0], [0, 1, 2]]
    """
    if not len(heads):
        return []
    flat, lengths = join_heads(heads)
    depths = checked_depths(flat, lengths).astype(np.int16)
    return np.split(depths, np.cumsum(lengths)[:-1])


def gold_distances(heads: Sequence[ArrayLike]) -> list[NDArray[np.int16]]:
    """Compute the distances between words of several trees.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        As for `gold_depths`, with the same errors.

    Returns
    -------
    list of ndarray of int16, shape (n, n)
        One matrix per sentence, as from `tree_distances`.

    Examples
    --------
    >>> [distances.tolist() for distances in gold_distances([[2, 0], [0, 1, 2]])]
    [[[0, 1], [1, 0]], [[0, 1, 2], [1, 0, 1], [2, 1, 0]]]
    """
    flat, lengths = join_heads(heads)
    distances = _flat_distances(flat, lengths, np.int16)
    cells = np.split(distances, np.cumsum(lengths**2)[:-1])
    return [own.reshape(n, n) for own, n in zip(cells, lengths, strict=False)]  # one for no heads


def flat_depths(heads: Sequence[ArrayLike]) -> NDArray[np.int16]:
    """Compute `gold_depths`, all sentences concatenated into one array.

    >>> flat_depths([[0], [2, 0]]).tolist()
    [0, 1, 0]
    """
    return checked_depths(*join_heads(heads)).astype(np.int16)  # (sum of n,)


def flat_distances(heads: Sequence[ArrayLike]) -> NDArray[np.integer]:
    """Compute `gold_distances`, flattened and concatenated, in the smallest type that holds them.

    >>> flat_distances([[0], [2, 0]]).tolist()
    [0, 0, 1, 1, 0]
    """
    flat, lengths = join_heads(heads)
    fits = lengths.max(initial=0) <= np.iinfo(np.uint8).max + 1
    return _flat_distances(flat, lengths, np.uint8 if fits else np.int16)  # (sum of n²,)


def padded_tree_depths(heads: ArrayLike, lengths: ArrayLike) -> NDArray[np.int16]:
    """Compute the depths of a padded batch of trees (b, n); 0 in the padding.

    >>> padded_tree_depths([[2, 0, -1], [0, 1, 2]], [2, 3]).tolist()
    [[1, 0, 0], [0, 1, 2]]
    """
    heads, lengths, inside = _unpad(heads, lengths)
    depths = np.zeros(heads.shape, dtype=np.int16)
    depths[inside] = checked_depths(heads[inside], lengths)
    return depths


def padded_tree_distances(heads: ArrayLike, lengths: ArrayLike) -> NDArray[np.int16]:
    """Compute the distances of a padded batch of trees (b, n), as (b, n, n); 0 in the padding.

    >>> padded_tree_distances([[2, 0, -1], [0, 1, 2]], [2, 3]).tolist()
    [[[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 1, 2], [1, 0, 1], [2, 1, 0]]]
    """
    heads, lengths, _ = _unpad(heads, lengths)
    return _distances(heads, padded_tree_depths(heads, lengths), lengths)


def _unpad(
    heads: ArrayLike, lengths: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Give the arrays of a padded batch, and the mask of its words."""
    heads, lengths = np.asarray(heads, dtype=np.intp), np.asarray(lengths, dtype=np.intp)
    if heads.ndim != 2 or lengths.shape != heads.shape[:1] or (lengths > heads.shape[1]).any():
        raise TreeError(
            f"heads of shape {heads.shape} do not match lengths of shape {lengths.shape}"
            f" and at most {max(lengths.flat, default=0)} words",
            hint="pass heads of shape (b, n) and lengths of shape (b,), each at most n",
        )
    inside = np.arange(heads.shape[1]) < lengths[:, None]  # (b, n)
    return heads, lengths, inside


def _flat_distances(
    heads: NDArray[np.intp], lengths: NDArray[np.intp], dtype: DTypeLike
) -> NDArray[Any]:
    """Compute all distances, concatenated, in padded batches of similar length."""
    depths = checked_depths(heads, lengths)
    last, last_cell = np.cumsum(lengths), np.cumsum(lengths**2)
    found = np.empty(int(last_cell[-1]) if len(last_cell) else 0, dtype=dtype)
    for group in group_by_length(lengths):
        words = [slice(last[index] - lengths[index], last[index]) for index in group]
        batch = _distances(
            pad([heads[own] for own in words]), pad([depths[own] for own in words]), lengths[group]
        )
        for index, n, matrix in zip(group, lengths[group], batch, strict=True):
            found[last_cell[index] - n * n : last_cell[index]] = matrix[:n, :n].ravel()
    return found


def _distances(
    heads: NDArray[np.intp], depths: NDArray[np.integer], lengths: NDArray[np.intp]
) -> NDArray[np.int16]:
    """Distances of a padded batch of checked trees, by induction over words by depth."""
    b, n = heads.shape
    rows = np.arange(b)[:, None]
    inside = np.arange(n) < lengths[:, None]  # (b, n)
    order = np.argsort(np.where(inside, depths, n), axis=1, kind="stable")  # (b, n)
    rank = np.empty_like(order)  # (b, n): a word's place in that order
    rank[rows, order] = np.arange(n)
    # The root and the padding come to hang on the first word; neither is read.
    parents = np.where(inside & (heads > 0), heads - 1, 0)
    parents = rank[rows, parents[rows, order]]  # (b, n): places of the heads, by place
    ranked = np.zeros((b, n, n), dtype=np.int16)
    for k in range(1, n):
        ranked[:, k, :k] = ranked[rows[:, 0], parents[:, k], :k] + 1
        ranked[:, :k, k] = ranked[:, k, :k]
    distances = ranked[rows[:, :, None], rank[:, :, None], rank[:, None, :]]  # (b, n, n)
    return np.where(inside[:, :, None] & inside[:, None, :], distances, np.int16(0))
