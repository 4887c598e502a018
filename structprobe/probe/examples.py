"""Sentences with what is to be predicted of them: distances for one probe, depths for the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.inputs import check_finite, read_heads, read_words
from structprobe.probe.words import Words
from structprobe.trees import gold_depths, gold_distances

KINDS = {"distance": gold_distances, "depth": gold_depths}


@dataclass(frozen=True, slots=True)
class Examples:
    """Sentences with what is to be predicted of them.

    Attributes
    ----------
    words : Words
        Their vectors.
    gold : sequence of ndarray of int, each (n, n) or (n,)
        Their gold distances or depths.
    """

    words: Words
    gold: Sequence[NDArray[np.integer]]

    def take(self, sentences: NDArray[np.integer]) -> Examples:
        """Take some of the sentences, in the order asked for.

        Parameters
        ----------
        sentences : ndarray of int, shape (n,)
            Which sentences, counted from 0.

        Returns
        -------
        `Examples`
            Those sentences.
        """
        return Examples(self.words.take(sentences), [self.gold[i] for i in sentences])


def read_examples(X: Any, y: Any, X_name: str, y_name: str) -> dict[str, Examples]:
    """Take vectors and trees in any form that a probe accepts, and check them.

    Parameters
    ----------
    X, y
        As `StructuralProbe.fit` takes them.
    X_name, y_name : str
        What messages call them.

    Returns
    -------
    dict of Examples
        By the keys of `KINDS`.

    Raises
    ------
    ProbeError
        As `read_words`, `read_heads` and `check_finite`.
    TreeError
        The heads of a sentence are no tree.
    """
    words = read_words(X, X_name)
    heads = read_heads(y, words, (X_name, y_name))
    check_finite(words, X_name, y)
    return {kind: Examples(words, gold_of(heads)) for kind, gold_of in KINDS.items()}
