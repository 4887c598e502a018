"""What the decoders of directed scores take."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import TreeError


def check_arc_scores(arc_scores: ArrayLike) -> NDArray[np.float64]:
    """Check a matrix of arc scores, and copy it with the arcs from a word to itself forbidden."""
    # arc_scores (n, n + 1) -> (n, n + 1)
    scores = np.array(arc_scores, dtype=np.float64)
    if scores.ndim != 2 or len(scores) < 1 or scores.shape[1] != len(scores) + 1:
        raise TreeError(
            f"arc scores have shape {scores.shape}",
            hint="give (n, n + 1): for each word its score for the root, then for every word",
        )
    words = np.arange(len(scores))
    scores[words, words + 1] = -np.inf
    wrong = np.argwhere(np.isnan(scores) | (scores == np.inf))
    if len(wrong):
        word, head = wrong[0]
        raise TreeError(
            f"the score of head {head} for word {word + 1} (counted from 1) is"
            f" {scores[word, head]}",
            hint="give finite scores, or -inf to forbid an arc",
        )
    return scores


def no_tree(kind: str, where: str | None = None) -> TreeError:
    """Say that forbidden arcs leave no tree."""
    return TreeError(
        f"no {kind} with exactly one root without arcs of score -inf",
        where=where,
        hint="allow more arcs",
    )
