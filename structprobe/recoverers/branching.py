"""Right-branching and left-branching trees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from structprobe.recoverers.base import Recoverer, lengths_of
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence


class RightBranching(Recoverer):
    """Attaches each word to the word before it; the first word is the root."""

    name = "right-branching"
    reads_model = False
    order = 93

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence; only its length is used."""
        return [Prediction(heads=np.arange(n)) for n in lengths_of(sentences)]


class LeftBranching(Recoverer):
    """Attaches each word to the word after it; the last word is the root."""

    name = "left-branching"
    reads_model = False
    order = 94

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence; only its length is used."""
        lengths = lengths_of(sentences)
        return [Prediction(heads=np.append(np.arange(2, n + 1), 0)) for n in lengths]
