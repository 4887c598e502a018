"""The prediction of a recoverer for one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import counted

SHOWN = 12  # heads, in the line that shows a prediction


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """The recovered tree of one sentence of n words, with the scores it was decoded from.

    Attributes
    ----------
    heads : ndarray of int, shape (n,)
        The recovered head of each word, 1-based, 0 for the root.
    distances : ndarray of float, shape (n, n), or None
        Predicted tree distances between words, if the method predicts them.
    depths : ndarray of float, shape (n,), or None
        Predicted depth of each word, likewise; the gold depth of the root is 0.
    arc_scores : ndarray of float, shape (n, n + 1), or None
        ``arc_scores[i, h]`` is the score of head `h` (1-based, 0 = root) for word `i` (0-based),
        likewise; higher is better.
    deprels : tuple of str, length n, or None
        Relation labels, if the method predicts them; a structural probe alone does not.
    as_tree : bool, default True
        Whether arc scores are decoded as a tree. If not, each word has its highest-scoring head, so
        the edges may not form a tree; a word without a head has its own number in `heads`, and if
        column 0 is ``-inf`` throughout, no root is predicted.
    deprel_probabilities : ndarray of float, shape (n,), or None
        The probability of each relation in `deprels`, given the head, if the method predicts it.
    """

    heads: NDArray[np.integer]
    distances: NDArray[np.floating] | None = None
    depths: NDArray[np.floating] | None = None
    arc_scores: NDArray[np.floating] | None = None
    deprels: tuple[str, ...] | None = None
    as_tree: bool = True
    deprel_probabilities: NDArray[np.floating] | None = None

    def __len__(self) -> int:
        return len(self.heads)

    def __repr__(self) -> str:
        heads = np.asarray(self.heads).tolist()
        shown = str(heads) if len(heads) <= SHOWN else f"{str(heads[:SHOWN])[:-1]}, …]"
        parts = ("distances", "depths", "arc_scores", "deprels")
        held = [name for name in parts if getattr(self, name) is not None]
        told = f", with {', '.join(held)}" if held else ""
        return f"Prediction({counted(len(heads), 'word')}: heads {shown}{told})"
