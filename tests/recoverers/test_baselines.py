"""The baselines: what trees they give, and that they look at nothing but lengths."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare
from support.tree_cases import all_trees

from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.random_tree import RandomTree, random_heads
from structprobe.scores import score
from structprobe.treebank.sentence import Sentence
from structprobe.trees import decode_rooted, tree_depths

SENTENCES = [Sentence(tuple("abcd")), Sentence(("a",)), Sentence(tuple("ab"))]


@pytest.mark.parametrize(
    ("recoverer", "name", "heads"),
    [
        (LinearChain(), "linear", [[0, 1, 2, 3], [0], [0, 1]]),
        (RightBranching(), "right-branching", [[0, 1, 2, 3], [0], [0, 1]]),
        (LeftBranching(), "left-branching", [[2, 3, 4, 0], [0], [2, 0]]),
    ],
)
def test_chains(recoverer, name, heads):
    predictions = recoverer.fit(SENTENCES).predict(SENTENCES)
    assert [one.heads.tolist() for one in predictions] == heads
    assert recoverer.name == name
    assert not recoverer.uses_gold


def test_only_the_chain_has_distances():
    linear = LinearChain().predict(SENTENCES)
    assert linear[0].distances.tolist() == [[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]]
    decoded = decode_rooted(
        [one.distances for one in linear], [np.arange(len(s)) for s in SENTENCES]
    )
    assert [one.tolist() for one in decoded] == [one.heads.tolist() for one in linear]
    others = RightBranching().predict(SENTENCES) + LeftBranching().predict(SENTENCES)
    assert all(one.distances is None and one.depths is None for one in others)


def test_scores_by_hand():
    # Gold 2 0 2 3: right-branching 0 1 2 3 has two heads right, left-branching 2 3 4 0 one.
    gold = [[2, 0, 2, 3]]
    for recoverer, uas in ((RightBranching(), 2 / 4), (LeftBranching(), 1 / 4)):
        scores = score(gold, recoverer.predict(SENTENCES[:1]))
        assert (scores.uas, scores.uuas) == (uas, 1.0)
        assert (scores.dspr, scores.nspr) == (None, None)


def test_random_trees_follow_the_seed():
    one, again, other = (RandomTree(seed) for seed in (0, 0, 1))
    found = [
        [prediction.heads.tolist() for prediction in recoverer.predict(SENTENCES * 20)]
        for recoverer in (one, again, one, other)
    ]
    assert found[0] == found[1] == found[2] != found[3]
    assert one.name == "random"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_random_trees_are_drawn_evenly_from_all(n):
    generator = np.random.default_rng(5)
    trees = {tuple(heads) for heads in all_trees(n).tolist()}
    drawn = Counter(tuple(random_heads(n, generator).tolist()) for _ in range(100 * len(trees)))
    assert set(drawn) == trees
    assert chisquare(list(drawn.values())).pvalue > 0.001


@pytest.mark.parametrize("n", [1, 7, 8, 64, 513])
def test_long_random_trees_are_trees(n):
    generator = np.random.default_rng(0)
    for _ in range(5):
        assert tree_depths(random_heads(n, generator)).min() == 0
