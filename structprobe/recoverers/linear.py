"""The linear chain: every word is connected to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from structprobe.recoverers.base import Recoverer, lengths_of
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence


class LinearChain(Recoverer):
    """Connects each word to the next: the baseline of Hewitt & Manning (2019), section 4.1.

    Its distances are ``|i - j|``, so that it is decoded again over the kept words; its heads are
    those of `RightBranching`.
    """

    name = "linear"
    reads_model = False
    order = 92

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the chain of each sentence; only its length is used."""
        places = map(np.arange, lengths_of(sentences))
        pairs = [(own, np.abs(own[:, None] - own).astype(np.float32)) for own in places]
        return [Prediction(heads=own, distances=distances) for own, distances in pairs]


def chains_for_missing(
    sentences: Sequence[Sentence], found: Sequence[Prediction | None], limit: int | None
) -> tuple[list[Prediction], str | None]:
    """Give linear chains where there is no tree, as sentences are too long, and say for how many.

    They are longer than the limit, in words, or without one too long for the model.
    """
    missing = sum(one is None for one in found)
    chains = LinearChain().predict(sentences)
    trees = [chain if one is None else one for chain, one in zip(chains, found, strict=True)]
    longer = longer_than(limit)
    told = f"linear chain for {missing:,} of {len(found):,} sentences, {longer}"
    return trees, told if missing else None


def longer_than(limit: int | None) -> str:
    """Say which sentences are too long."""
    return "too long for the model" if limit is None else f"with more than {limit} words"
