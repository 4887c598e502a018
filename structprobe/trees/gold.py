"""Gold depths, distances and edges from heads, for one tree or many at once.

All functions check that the heads are trees: exactly one root, no cycle, heads in range. Depths
come by pointer doubling over all words of all sentences; distances by induction over words in an
order in which heads come before their dependents: the distance from a new word to any earlier
one is that of its head, plus one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from structprobe.errors import TreeError
from structprobe.trees.checked_heads import checked_depths, join_heads
from structprobe.trees.grouping import group_by_length, pad


def tree_depths(heads: ArrayLike) -> NDArray[np.intp]:
    """Count the arcs between each word and the root of its tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of int, shape (n,)
        The root's depth is 0.

    Raises
    ------
    TreeError
        If the heads are no tree.

    Examples
    --------
    "the dog chased cats": *chased* is the root.

    >>> tree_depths([2, 3, 0, 3]).tolist()
    [2, 1, 0, 1]
    """
    flat, lengths = join_heads([heads])
    return checked_depths(flat, lengths)


def tree_distances(heads: ArrayLike) -> NDArray[np.intp]:
    """Count the edges on the path between each two words of a tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of int, shape (n, n)
        Symmetrical, with a zero diagonal.

    Raises
    ------
    TreeError
        If the heads are no tree.

    Examples
    --------
    >>> tree_distances([2, 3, 0, 3]).tolist()
    [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]
    """
    return gold_distances([heads])[0].astype(np.intp)


def edges(heads: ArrayLike) -> NDArray[np.intp]:
    """Undirected edges of a tree.

    Parameters
    ----------
    heads : array_like of int, shape (n,)
        The head of each word, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of int, shape (n - 1, 2)
        Pairs of words ``i < j``, 0-based, sorted.

    Raises
    ------
    TreeError
        If the heads are no tree.

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
    """Depths of the words of many trees.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root's.

    Returns
    -------
    list of ndarray of int16, shape (n,)
        As `tree_depths`, one a sentence.

    Raises
    ------
    TreeError
        If some heads are no tree; the message names the sentence by its index, counted from 0.

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
    """Distances between the words of many trees, in padded batches of like length.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root's.

    Returns
    -------
    list of ndarray of int16, shape (n, n)
        As `tree_distances`, one a sentence.

    Raises
    ------
    TreeError
        If some heads are no tree; the message names the sentence by its index, counted from 0.

    Examples
    --------
    >>> [distances.tolist() for distances in gold_distances([[2, 0], [0, 1, 2]])]
    [[[0, 1], [1, 0]], [[0, 1, 2], [1, 0, 1], [2, 1, 0]]]
    """
    if not len(heads):
        return []
    flat, lengths = join_heads(heads)
    distances = _flat_distances(flat, lengths, np.int16)
    cells = np.split(distances, np.cumsum(lengths**2)[:-1])
    return [own.reshape(n, n) for own, n in zip(cells, lengths, strict=True)]


def flat_depths(heads: Sequence[ArrayLike]) -> NDArray[np.int16]:
    """Depths of the words of many trees, in one array.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of int16, shape (sum of n,)
        As `gold_depths`, one sentence behind the other.

    Raises
    ------
    TreeError
        As `gold_depths`.

    Examples
    --------
    >>> flat_depths([[0], [2, 0]]).tolist()
    [0, 1, 0]
    """
    return checked_depths(*join_heads(heads)).astype(np.int16)


def flat_distances(heads: Sequence[ArrayLike]) -> NDArray[np.integer]:
    """Distances between the words of many trees, in one array as small as can be.

    Parameters
    ----------
    heads : sequence of array_like of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root's.

    Returns
    -------
    ndarray of uint8, or int16 where a sentence has more than 256 words, shape (sum of n²,)
        As `gold_distances`, row by row, one sentence behind the other.

    Raises
    ------
    TreeError
        As `gold_distances`.

    Examples
    --------
    >>> flat_distances([[0], [2, 0]]).tolist()
    [0, 0, 1, 1, 0]
    """
    flat, lengths = join_heads(heads)
    fits = lengths.max(initial=0) <= np.iinfo(np.uint8).max + 1
    return _flat_distances(flat, lengths, np.uint8 if fits else np.int16)


def padded_tree_depths(heads: ArrayLike, lengths: ArrayLike) -> NDArray[np.int16]:
    """Depths of the words of a padded batch of trees.

    Parameters
    ----------
    heads : array_like of int, shape (b, n)
        Heads, 1-based, 0 for the root's; whatever stands in the padding is not looked at.
    lengths : array_like of int, shape (b,)
        The number of words of each tree.

    Returns
    -------
    ndarray of int16, shape (b, n)
        As `tree_depths`; 0 in the padding.

    Raises
    ------
    TreeError
        If some heads are no tree; the message names the row of the batch, counted from 0.

    Examples
    --------
    >>> padded_tree_depths([[2, 0, -1], [0, 1, 2]], [2, 3]).tolist()
    [[1, 0, 0], [0, 1, 2]]
    """
    heads, lengths, inside = _unpad(heads, lengths)
    depths = np.zeros(heads.shape, dtype=np.int16)
    depths[inside] = checked_depths(heads[inside], lengths)
    return depths


def padded_tree_distances(heads: ArrayLike, lengths: ArrayLike) -> NDArray[np.int16]:
    """Distances between the words of a padded batch of trees.

    Parameters
    ----------
    heads : array_like of int, shape (b, n)
        Heads, 1-based, 0 for the root's; whatever stands in the padding is not looked at.
    lengths : array_like of int, shape (b,)
        The number of words of each tree.

    Returns
    -------
    ndarray of int16, shape (b, n, n)
        As `tree_distances`; 0 in the padding.

    Raises
    ------
    TreeError
        If some heads are no tree; the message names the row of the batch, counted from 0.

    Examples
    --------
    >>> padded_tree_distances([[2, 0, -1], [0, 1, 2]], [2, 3]).tolist()
    [[[0, 1, 0], [1, 0, 0], [0, 0, 0]], [[0, 1, 2], [1, 0, 1], [2, 1, 0]]]
    """
    heads, lengths, _ = _unpad(heads, lengths)
    return _distances(heads, padded_tree_depths(heads, lengths), lengths)


def _unpad(
    heads: ArrayLike, lengths: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Arrays of a padded batch, and where its words are."""
    heads, lengths = np.asarray(heads, dtype=np.intp), np.asarray(lengths, dtype=np.intp)
    if heads.ndim != 2 or lengths.shape != heads.shape[:1] or (lengths > heads.shape[1]).any():
        raise TreeError(
            f"heads of shape {heads.shape} do not go with lengths of shape {lengths.shape}"
            f" and at most {max(lengths.flat, default=0)} words",
            hint="give heads (b, n) and lengths (b,) of at most n",
        )
    inside = np.arange(heads.shape[1]) < lengths[:, None]  # (b, n)
    return heads, lengths, inside


def _flat_distances(
    heads: NDArray[np.intp], lengths: NDArray[np.intp], dtype: DTypeLike
) -> NDArray[Any]:
    """Distances of all sentences behind one another, in padded batches of like length."""
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
