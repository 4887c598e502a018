"""The best head of each word by itself: greedy, and in general no tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def best_heads(arc_scores: ArrayLike) -> NDArray[np.intp]:
    """Find the best-scored head of each word, whatever the others have.

    Parameters
    ----------
    arc_scores : array_like, shape (..., n, n + 1)
        ``arc_scores[..., i, h]`` is the score of head `h` (1-based, 0 = root) for word `i`
        (0-based); ``-inf`` forbids the arc. Arcs from a word to itself are not looked at.

    Returns
    -------
    ndarray of int, shape (..., n)
        The head of each word, 1-based, 0 for the root's and where all arcs are forbidden; the
        lowest of equal ones.

    Examples
    --------
    >>> best_heads([[1, 0, 9], [5, 8, 0]]).tolist()
    [2, 1]
    >>> best_heads([[-np.inf, 0, 9], [-np.inf, -np.inf, 0]]).tolist()
    [2, 0]
    """
    scores = np.array(arc_scores)
    if np.issubdtype(scores.dtype, np.integer):
        scores = scores.astype(np.float64)
    words = np.arange(scores.shape[-2])
    scores[..., words, words + 1] = -np.inf
    return scores.argmax(axis=-1)
