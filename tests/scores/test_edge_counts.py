"""Right edges of many predictions at once, against `score` on each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.score_reference import golds

from structprobe.errors import ScoreError
from structprobe.scores import Prediction, score
from structprobe.scores.gold_edges import GoldEdges
from structprobe.treebank.sentence import Sentence


@given(
    st.lists(golds(), min_size=1, max_size=5),
    st.sampled_from(["upos", "xpos", "keep", None]),
    st.integers(0, 2**32),
)
def test_each_prediction_as_score_has_it(gold, punct, seed):
    generator = np.random.default_rng(seed)
    k, lengths = 3, np.array([len(one.heads) for one in gold])
    predicted = [generator.integers(0, n + 1, size=(k, n)) for n in lengths]
    edges = GoldEdges(gold, punct)
    right = np.zeros(k, dtype=int)
    order = generator.permutation(len(gold))
    for batch in np.array_split(order, 2):
        if not len(batch):
            continue
        padded = generator.integers(-1, 9, size=(len(batch), k, lengths[batch].max()))
        for row, number in enumerate(batch):
            padded[row, :, : lengths[number]] = predicted[number]
            padded[row, :, lengths[number] :] = -1
        some = edges.padded(batch)
        assert some.kept.sum() <= lengths[batch].sum()
        right += some.count_right(padded)
    for one in range(k):
        scores = score(gold, [Prediction(heads[one]) for heads in predicted], punct=punct)
        assert scores.counts["n_right_edges"] == right[one]
        assert scores.counts["n_edges"] == edges.n_edges
        assert scores.protocol == edges.protocol


def test_gold_is_checked():
    with pytest.raises(ScoreError, match=r"gold\[1\].*has no heads"):
        GoldEdges([Sentence(("a",), [0]), Sentence(("b",))])
    with pytest.raises(ScoreError, match="not a tree"):
        GoldEdges([Sentence(("a", "b"), [2, 1])])
    with pytest.raises(ScoreError, match="no UPOS"):
        GoldEdges([Sentence(("a",), [0])], "upos")
