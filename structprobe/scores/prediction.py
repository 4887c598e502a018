"""What a recoverer says of one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHOWN = 12  # heads, in the line that shows a prediction


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """The recovered tree of one sentence of n words, with the scores it came from.

    Attributes
    ----------
    heads : ndarray of int, shape (n,)
        The recovered head of each word over all words, 1-based, 0 for the root's.
    distances : ndarray of float, shape (n, n), or None
        Predicted tree distances between words, where the method has them.
    depths : ndarray of float, shape (n,), or None
        Predicted depth of each word (gold: the root's is 0), where the method has them.
    arc_scores : ndarray of float, shape (n, n + 1), or None
        ``arc_scores[i, h]`` is the score of head `h` (1-based, 0 = root) for word `i` (0-based),
        higher is better, where the method has them.
    deprels : tuple of str, length n, or None
        Relation labels, where the method has them (a parse file; no probe has).
    as_tree : bool, default True
        Whether arc scores are read as a tree. If not, each word has its best-scored head by itself:
        the edges need be no tree, a word without a head has its own number in `heads`, and where
        the scores forbid every word to be the root (``-inf`` throughout column 0), nothing is said
        of the root.
    """

    heads: NDArray[np.integer]
    distances: NDArray[np.floating] | None = None
    depths: NDArray[np.floating] | None = None
    arc_scores: NDArray[np.floating] | None = None
    deprels: tuple[str, ...] | None = None
    as_tree: bool = True

    def __len__(self) -> int:
        return len(self.heads)

    def __repr__(self) -> str:
        heads = np.asarray(self.heads).tolist()
        shown = str(heads) if len(heads) <= SHOWN else f"{str(heads[:SHOWN])[:-1]}, …]"
        parts = ("distances", "depths", "arc_scores", "deprels")
        held = [name for name in parts if getattr(self, name) is not None]
        told = f", with {', '.join(held)}" if held else ""
        return f"Prediction({len(heads)} words: heads {shown}{told})"
