"""Checks of arc scores, and the best head of each word on its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError


def check_arc_scores(arc_scores: ArrayLike) -> NDArray[np.float64]:
    """Check a matrix of arc scores, and copy it with the arcs from a word to itself forbidden."""
    # arc_scores (n, n + 1) -> (n, n + 1)
    scores = np.array(arc_scores, dtype=np.float64)
    if scores.ndim != 2 or len(scores) < 1 or scores.shape[1] != len(scores) + 1:
        what = f"arc scores have shape {scores.shape}"
        hint = "pass shape (n, n + 1): one row per word, the root's column before the words'"
        raise TreeError(what, hint=hint)
    scores[forbidden_arcs(scores[None], np.array([len(scores)]))[0]] = -np.inf
    return scores


def forbidden_arcs(
    scores: NDArray[np.float64], lengths: NDArray[np.intp], names: NDArray[np.intp] | None = None
) -> NDArray[np.bool_]:
    """Check arc scores; mask those of -inf, self-arcs and the padding."""
    # scores (b, n, n + 1); names (b,): the indices of the sentences, if several
    n = scores.shape[1]
    words = np.arange(n)
    real = (words < lengths[:, None])[:, :, None] & (np.arange(n + 1) <= lengths[:, None])[:, None]
    real[:, words, words + 1] = False  # (b, n, n + 1)
    wrong = np.argwhere(real & (np.isnan(scores) | (scores == np.inf)))
    if len(wrong):
        sentence, word, head = wrong[0]
        score = scores[sentence, word, head]
        what = f"the score of head {head} for word {word + 1} (counted from 1) is {score}"
        hint = "scores must be finite, or -inf to forbid an arc"
        raise TreeError(what, sentence=None if names is None else int(names[sentence]), hint=hint)
    return ~real | np.isneginf(scores)


def no_tree(kind: str, sentence: int | None = None) -> TreeError:
    """Make the error for forbidden arcs that leave no tree."""
    what = f"no {kind} with exactly one root avoids all arcs with score -inf"
    return TreeError(what, hint="allow more arcs", sentence=sentence)


def best_heads(arc_scores: ArrayLike) -> NDArray[np.intp]:
    """Find the highest-scoring head of each word, independently of the other words.

    Parameters
    ----------
    arc_scores : array_like, shape (..., n, n + 1)
        ``arc_scores[..., i, h]`` is the score of head `h` (1-based, 0 = root) for word `i`
        (0-based); ``-inf`` forbids the arc. Arcs from a word to itself are ignored.

    Returns
    -------
    ndarray of int, shape (..., n)
        The head of each word, 1-based; 0 for the root and where all arcs are forbidden. Ties go to
        the lowest head.

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
    best: NDArray[np.intp] = scores.argmax(axis=-1)
    return best
