"""Padded batches of sentences of similar length.

Sentences are sorted by length, so that there is little padding, and batches are limited in size, so
that memory does not grow with the treebank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def group_by_length(
    lengths: ArrayLike, *, max_cells: int = 1 << 18, slack: float = 0.1
) -> list[NDArray[np.intp]]:
    """Group sentences of similar length, as indices, for batches of square matrices.

    A group of `b` sentences padded to `n` words has at most ``max_cells = b * n * n`` cells (a
    longer sentence is alone), and its lengths differ by at most the share `slack`, or by one word.

    >>> [group.tolist() for group in group_by_length([3, 9, 3, 2, 30])]
    [[3, 0, 2], [1], [4]]
    """
    lengths = np.asarray(lengths, dtype=np.intp)
    order = np.argsort(lengths, kind="stable")
    cuts, first = [], 0
    ordered = lengths[order].tolist()
    for index, length in enumerate(ordered):
        shortest = ordered[first]
        too_long = length > max(shortest + 1, shortest * (1 + slack))
        if index > first and (too_long or (index - first + 1) * length**2 > max_cells):
            cuts.append(index)
            first = index
    return np.split(order, cuts) if len(order) else []


def pad(arrays: Sequence[ArrayLike], *, fill: Any = 0, dtype: Any = None) -> NDArray[Any]:
    """Stack arrays of different sizes into one, each axis padded at its end with `fill`.

    >>> pad([[1, 2, 3], [4]], fill=-1).tolist()
    [[1, 2, 3], [4, -1, -1]]
    """
    parts = [np.asarray(array) for array in arrays]
    sizes = np.array([part.shape for part in parts])  # (b, axes)
    shape = sizes.max(axis=0).tolist()
    filled = np.ones((len(parts), *shape), dtype=np.bool_)
    for axis, places in enumerate(np.ogrid[tuple(map(slice, shape))]):
        filled &= places < sizes[:, axis].reshape(-1, *[1] * len(shape))
    padded = np.full(filled.shape, fill, dtype=parts[0].dtype if dtype is None else dtype)
    padded[filled] = np.concatenate([part.ravel() for part in parts])
    return padded
