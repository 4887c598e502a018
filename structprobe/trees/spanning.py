"""Minimum spanning trees of word-by-word distances, rooted and directed.

Prim (1957), 'Shortest connection networks and some generalizations', over padded batches: one step
adds one word to the tree of every sentence. All edges of a sentence stand in one strict
order, by (distance, i, j) with i < j, so that its minimum spanning tree is unique: it
depends neither on the root, nor on the batch or the padding, nor on the platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError, counted
from structprobe.trees.padding import group_by_length, pad

Ints: TypeAlias = NDArray[np.intp]

_LAST = complex(np.inf, np.inf)  # comes after all edges


def spanning_tree(distances: ArrayLike, root: int = 0) -> NDArray[np.intp]:
    """Find the minimum spanning tree of one sentence.

    Parameters
    ----------
    distances : array_like, shape (n, n)
        Distances between words, as for `spanning_trees`, with the same errors.
    root : int
        The 0-based word that becomes the root; arcs point away from it.

    Returns
    -------
    ndarray of int, shape (n,)
        The head of each word, 1-based, 0 for the root.

    Examples
    --------
    The edges 1-2 (distance 1) and 0-1 (distance 2) connect all words; 0-2 (distance 4) is left out.

    >>> spanning_tree([[0, 2, 4], [2, 0, 1], [4, 1, 0]], root=1).tolist()
    [2, 0, 2]

    Ties: the edge 0-1 comes before 0-2, which comes before 1-2.

    >>> spanning_tree([[0, 3, 3], [3, 0, 3], [3, 3, 0]], root=2).tolist()
    [3, 1, 0]
    """
    matrix = np.asarray(distances)
    heads: NDArray[np.intp] = spanning_trees(matrix[None], matrix.shape[:1], [root])[0]
    return heads


def spanning_trees(distances: ArrayLike, lengths: ArrayLike, roots: ArrayLike) -> NDArray[np.intp]:
    """Find the minimum spanning trees of a padded batch of sentences.

    Parameters
    ----------
    distances : array_like, shape (b, n, n)
        Distances between words; zero and negative values are allowed. Each entry is averaged with
        its transpose (matrix products are symmetric only up to rounding). The diagonal and the
        padding are ignored.
    lengths, roots : array_like of int, shape (b,)
        The number of words of each sentence, and the 0-based word that becomes its root.

    Returns
    -------
    ndarray of int, shape (b, n)
        The head of each word, 1-based, 0 for the root, -1 in the padding.

    Raises
    ------
    TreeError
        If a distance is NaN or infinite, the shapes do not match, or a root is out of range.

    Examples
    --------
    >>> near, far = [[0, 1, 9], [1, 0, 9], [9, 9, 9]], [[0, 2, 4], [2, 0, 1], [4, 1, 0]]
    >>> spanning_trees([near, far], lengths=[2, 3], roots=[0, 1]).tolist()
    [[0, 1, -1], [2, 0, 2]]
    """
    distances = np.asarray(distances)
    lengths, roots = np.asarray(lengths, dtype=np.intp), np.asarray(roots, dtype=np.intp)
    b, n = (*distances.shape, 0, 0)[:2]
    if distances.shape != (b, n, n) or lengths.shape != (b,) or roots.shape != (b,):
        raise TreeError(
            f"distances of shape {distances.shape} do not match lengths of shape {lengths.shape}"
            f" and roots of shape {roots.shape}",
            hint="pass shapes (b, n, n) for distances, (b,) for lengths and (b,) for roots",
        )
    wrong = np.flatnonzero((lengths < 1) | (lengths > n) | (roots < 0) | (roots >= lengths))
    if len(wrong):
        length, root = lengths[wrong[0]], roots[wrong[0]]
        what = f"root {root} (0-based) is not one of {counted(length, 'word')} in {n}"
        raise TreeError(what, sentence=int(wrong[0]))
    inside = np.arange(n) < lengths[:, None]  # (b, n)
    distances = distances.astype(np.float64, copy=False)
    return _spanning_trees(distances, inside, roots, np.arange(b))


def decode_rooted(
    distances: Sequence[ArrayLike],
    depths: Sequence[ArrayLike],
    kept: Sequence[ArrayLike] | None = None,
) -> list[NDArray[np.intp]]:
    """Decode trees from predicted distances and depths.

    Each tree is the minimum spanning tree of the distances, rooted at the shallowest word
    (Hewitt & Manning 2019, section 4.1, with the root of section 4.2).

    Parameters
    ----------
    distances : sequence of array_like, shape (n, n)
        Distances between the words of each sentence, as in `spanning_trees`.
    depths : sequence of array_like, shape (n,)
        The depth of each word. The shallowest word becomes the root; ties go to the first.
    kept : sequence of array_like of bool, shape (n,), optional
        The words of each sentence to include in its tree; by default all.

    Returns
    -------
    list of ndarray of int, shape (n,)
        The heads of each sentence, 1-based, 0 for the root, -1 for words left out.

    Raises
    ------
    TreeError
        As for `spanning_trees`, with the 0-based index of the sentence; and if a depth is NaN or
        the shapes of depths and distances do not match.

    Examples
    --------
    >>> distances = [[0, 2, 4], [2, 0, 1], [4, 1, 0]]
    >>> [heads.tolist() for heads in decode_rooted([distances, [[0]]], [[1.2, 0.3, 2.0], [5]])]
    [[2, 0, 2], [0]]
    """
    matrices, rows = [np.asarray(one) for one in distances], [np.asarray(one) for one in depths]
    masks = None if kept is None else [np.asarray(one, dtype=np.bool_) for one in kept]
    _check_shapes(matrices, rows, masks)
    lengths = np.array([len(row) for row in rows], dtype=np.intp)
    found: list[NDArray[np.intp]] = [np.empty(0, np.intp)] * len(rows)
    for group in group_by_length(lengths):
        some = group.tolist()
        depth = pad([rows[index] for index in some], fill=np.inf, dtype=np.float64)
        wrong = np.argwhere(np.isnan(depth))
        if len(wrong):
            what = f"the depth of word {wrong[0, 1] + 1} (counted from 1) is NaN"
            raise TreeError(what, sentence=int(group[wrong[0, 0]]))
        inside = np.arange(depth.shape[1]) < lengths[group][:, None]  # (b, n)
        if masks is not None:
            inside[inside] = np.concatenate([masks[index] for index in some])
        roots = np.where(inside, depth, _LAST).argmin(axis=1)  # (b,)
        batch = pad([matrices[index] for index in some], dtype=np.float64)
        heads = _spanning_trees(batch, inside, roots, group)
        for index, row in zip(some, heads, strict=True):
            found[index] = row[: len(rows[index])]
    return found


def _check_shapes(
    matrices: list[NDArray[Any]], rows: list[NDArray[Any]], masks: list[NDArray[np.bool_]] | None
) -> None:
    """Refuse distances, depths and masks of different sentences."""
    if len(matrices) != len(rows):
        told = counted(len(matrices), "sentence")
        raise TreeError(f"distances for {told}, but depths for {len(rows)}")
    for index, (matrix, row) in enumerate(zip(matrices, rows, strict=True)):
        if row.ndim != 1 or len(row) < 1 or matrix.shape != (len(row), len(row)):
            what = f"distances of shape {matrix.shape} do not match depths of shape {row.shape}"
            hint = "pass shapes (n, n) and (n,) for the same n words"
            raise TreeError(what, sentence=index, hint=hint)
    if masks is not None and [len(mask) for mask in masks] != [len(row) for row in rows]:
        covered, wanted = (
            f"{counted(len(parts), 'sentence')} of {counted(sum(map(len, parts)), 'word')}"
            for parts in (masks, rows)
        )
        hint = "pass one mask of shape (n,) per sentence of n words"
        raise TreeError(f"kept covers {covered}, but depths {wanted}", hint=hint)


def _spanning_trees(
    distances: NDArray[np.float64], inside: NDArray[np.bool_], roots: Ints, names: Ints
) -> Ints:
    """Trees over the words `inside` (b, n) of a batch whose rows are sentences `names`."""
    b, n = inside.shape
    edges, rows = _edges(distances, inside, names), np.arange(b)
    outside = np.ones((b, n), dtype=np.bool_)
    outside[rows, roots] = False
    # For every word, the first edge that joins it to the tree; of a word in the tree, that did.
    nearest = edges[rows, roots]  # (b, n)
    for _ in range(n - 1):
        new = np.where(outside, nearest, _LAST).argmin(axis=1)  # (b,)
        outside[rows, new] = False
        np.minimum(nearest, edges[rows, new], out=nearest, where=outside)
    first, second = np.divmod(nearest.imag.astype(np.intp), n)  # the ends of the edge
    heads = np.where(first == np.arange(n), second, first) + 1
    heads[rows, roots] = 0
    # Edges to words that are left out come last, so that these join after all others.
    heads[~inside] = -1
    return heads


def _edges(
    distances: NDArray[np.float64], inside: NDArray[np.bool_], names: Ints
) -> NDArray[np.complex128]:
    """Edges as numbers that are ordered by (distance, i, j), in symmetric matrices (b, n, n).

    NumPy orders complex numbers by their real and then by their imaginary parts: here the
    distance and ``i * n + j``. The distance is infinite to words that are not `inside`.
    """
    n = inside.shape[1]
    i, j = np.ogrid[:n, :n]
    real = inside[:, :, None] & inside[:, None, :] & (i != j)  # (b, n, n)
    wrong = real & ~np.isfinite(distances)
    if wrong.any():
        row, *ends = np.argwhere(wrong)[0].tolist()
        i, j = sorted(ends)
        raise TreeError(
            f"the distance between words {i + 1} and {j + 1} (counted from 1) is"
            f" {distances[row, i, j]:g} in one direction and {distances[row, j, i]:g} in the other",
            sentence=int(names[row]),
            hint="distances must be finite numbers",
        )
    halves = np.where(real, distances / 2, np.inf)
    edges = np.empty(distances.shape, dtype=np.complex128)
    np.add(halves, halves.swapaxes(1, 2), out=edges.real)
    edges.imag = np.minimum(i, j) * n + np.maximum(i, j)
    return edges
