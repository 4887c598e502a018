"""Dependency alignment: by hand, arc by arc, and what shuffling keeps of a tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.attention_cases import random_batch
from support.tree_cases import trees

from structprobe.attention.alignment import Alignment, shuffled_heads
from structprobe.errors import ScoreError
from structprobe.trees import tree_depths


def test_a_worked_example():
    """Arcs 2-1 and 3-2: pairs (1, 2), (2, 1), (2, 3), (3, 2) hold 0.2 + 0.1 + 0.3 + 0.4 of 2."""
    weights = np.array([[0.5, 0.2, 0.1], [0.1, 0.0, 0.3], [0.1, 0.4, 0.3]])[None, None, None]
    alignment = Alignment(1, 1, first_is_special=True)
    alignment.add(weights, np.array([[2, 3, 0]]))
    assert alignment.share[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("first_is_special", [True, False])
def test_arc_by_arc(first_is_special):
    batch = random_batch([6, 1, 4, 3])
    alignment, parts = (Alignment(2, 3, first_is_special=first_is_special) for _ in range(2))
    alignment.add(batch.weights, batch.heads)
    for index in range(4):
        part = batch.cut(index)
        parts.add(part.weights, part.heads)
    assert alignment.share == pytest.approx(parts.share)
    for layer, head in np.ndindex(2, 3):
        on_arcs = total = 0.0
        for s, length in enumerate(batch.lengths):
            tree = batch.heads[s].tolist()
            for i in range(length):
                for j in range(0 if first_is_special else 1, length):
                    weight = batch.weights[s, layer, head, i, j]
                    total += weight
                    on_arcs += weight if tree[i] == j + 1 or tree[j] == i + 1 else 0
        assert alignment.share[layer, head] == pytest.approx(on_arcs / total)


def test_a_head_without_attention_to_words_has_no_share():
    alignment = Alignment(1, 2, first_is_special=True)
    weights = np.zeros((1, 1, 2, 2, 2))
    weights[0, 0, 1] = 0.5
    alignment.add(weights, np.array([[0, 1]]))
    assert np.isnan(alignment.share[0, 0])
    assert alignment.share[0, 1] == 0.5


@given(trees(), st.integers(0, 2**31))
def test_a_shuffled_tree_is_the_same_tree_elsewhere(heads, seed):
    shuffled = shuffled_heads(heads, np.random.default_rng(seed))
    assert sorted(tree_depths(shuffled)) == sorted(tree_depths(heads))  # raises unless a tree
    dependents = [np.bincount(one, minlength=len(heads) + 1)[1:] for one in (heads, shuffled)]
    assert sorted(dependents[0]) == sorted(dependents[1])
    again = shuffled_heads(heads, np.random.default_rng(seed))
    assert shuffled.tolist() == again.tolist()


def test_all_orders_are_as_likely():
    generator = np.random.default_rng(0)
    found = [tuple(shuffled_heads([0, 1, 2], generator).tolist()) for _ in range(3000)]
    counts = {tree: found.count(tree) for tree in set(found)}
    assert len(counts) == 6  # a chain of three words, in every order
    assert min(counts.values()) > 400


def test_bad_input():
    batch = random_batch([3, 2])
    with pytest.raises(ScoreError, match=r"heads has shape \(1, 3\), but attention"):
        Alignment(2, 3, first_is_special=True).add(batch.weights, batch.heads[:1])
