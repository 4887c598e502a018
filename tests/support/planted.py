"""Sentences whose trees lie in their vectors, hidden by noise: something for a probe to find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def planted(
    n_sentences: int, *, seed: int, hidden_size: int = 24, noise: float = 0.0, longest: int = 12
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]]:
    """Random trees, and vectors in which each arc is one step along an axis of its own.

    The squared distance of two words is then their distance in the tree, and the squared length
    of a word its depth; `noise` (standard deviation) is laid over it.

    Returns
    -------
    vectors : list of ndarray, each (n_words, hidden_size)
    heads : list of ndarray, each (n_words,)
    """
    rng = np.random.default_rng(seed)
    vectors, heads = [], []
    for _ in range(n_sentences):
        n = int(rng.integers(1, longest + 1))
        order = rng.permutation(n)  # the root first, then each word below one before it
        tree = np.zeros(n, dtype=np.int64)
        values = np.zeros((n, hidden_size))
        for place in range(1, n):
            word, head = order[place], order[rng.integers(place)]
            tree[word] = head + 1
            values[word] = values[head]
            values[word, place - 1] = 1
        vectors.append((values + noise * rng.normal(size=values.shape)).astype(np.float32))
        heads.append(tree)
    return vectors, heads
