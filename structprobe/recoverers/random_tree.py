"""Random trees, drawn uniformly from all rooted trees over the words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from structprobe.probe.training.settings import read_generator
from structprobe.recoverers.base import Recoverer, lengths_of
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence


class RandomTree(Recoverer):
    """Draws a random tree for each sentence, uniformly from all rooted trees over its words.

    Parameters
    ----------
    random_state : int
        Random state; `predict` returns the same trees for the same lengths.
    """

    name = "random"
    reads_model = False
    order = 95
    from_context = ("random_state",)

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Draw a tree for each sentence; only its length is used."""
        generator = read_generator(self.random_state)
        return [Prediction(heads=random_heads(n, generator)) for n in lengths_of(sentences)]


def random_heads(n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw the heads of a tree over n words, uniformly from all n ** (n - 1) rooted trees."""
    # -> (n,)
    image = generator.integers(n, size=n)
    far = image
    for _ in range(n.bit_length()):
        far = far[far]  # after 2 ** bit_length > n steps only words on cycles are left
    path = image[np.unique(far)]
    heads = image + 1
    heads[path] = np.append(0, path[:-1] + 1)
    return heads
