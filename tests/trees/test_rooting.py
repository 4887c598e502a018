"""The best root of a tree, against the best arborescence over its edges alone."""

from __future__ import annotations

import numpy as np

from structprobe.recoverers.random_tree import random_heads
from structprobe.trees import arborescence
from structprobe.trees.rooting import best_rooted


def test_as_the_best_tree_over_the_same_edges() -> None:
    rng = np.random.default_rng(0)
    heads = [random_heads(int(rng.integers(1, 12)), rng) for _ in range(80)]
    scores, backwards = ([rng.normal(size=len(one)) for one in heads] for _ in range(2))
    for one, own, other, found in zip(
        heads, scores, backwards, best_rooted(heads, scores, backwards), strict=True
    ):
        arcs = np.full((len(one), len(one) + 1), -np.inf)
        arcs[:, 0] = 0  # any word may be the root
        for word in np.flatnonzero(one):
            arcs[word, one[word]] = own[word]
            arcs[one[word] - 1, word + 1] = other[word]
        assert found.tolist() == arborescence(arcs).tolist()


def test_of_equal_roots_the_first_is_taken() -> None:
    (found,) = best_rooted([[2, 3, 0]], [[1, 1, 0]], [[1, 1, 0]])
    assert found.tolist() == [0, 1, 2]
    assert best_rooted([], [], []) == []
