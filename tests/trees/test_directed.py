"""Chu-Liu/Edmonds and Eisner against brute force and networkx; one root; forbidden arcs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.tree_cases import all_trees, is_projective, projective_trees, trees

from structprobe.errors import TreeError
from structprobe.trees import arborescence, eisner, tree_depths

DECODERS = [(arborescence, all_trees), (eisner, projective_trees)]


@st.composite
def arc_scores(draw, max_size=5):
    """Small whole scores, so that sums are exact and ties many, and forbidden arcs."""
    n = draw(st.integers(1, max_size))
    elements = st.one_of(st.integers(-3, 3), st.just(-np.inf))
    return draw(hnp.arrays(np.float64, (n, n + 1), elements=elements))


def total(scores, heads):
    return scores[np.arange(len(scores)), heads].sum(axis=-1)


@pytest.mark.parametrize(("decode", "candidates"), DECODERS)
@given(scores=arc_scores())
def test_brute_force(decode, candidates, scores):
    best = total(scores, candidates(len(scores))).max()
    if np.isneginf(best):
        with pytest.raises(
            TreeError, match="with exactly one root avoids all arcs with score -inf"
        ):
            decode(scores)
    else:
        heads = decode(scores)
        tree_depths(heads)  # raises unless a tree
        assert total(scores, heads) == best


@pytest.mark.parametrize(("decode", "candidates"), DECODERS)
@pytest.mark.parametrize("forbidden", [0.0, 0.3, 0.6])
def test_brute_force_six_words(decode, candidates, forbidden):
    rng = np.random.default_rng(0)
    for _ in range(30):
        scores = rng.normal(size=(6, 7))
        scores[rng.random(scores.shape) < forbidden] = -np.inf
        totals = total(scores, candidates(6))
        if np.isneginf(totals.max()):
            with pytest.raises(TreeError):
                decode(scores)
        else:
            assert (decode(scores) == candidates(6)[totals.argmax()]).all()


@given(arc_scores(), st.data())
def test_forced_root(scores, data):
    root = data.draw(st.integers(1, len(scores)))
    rooted = all_trees(len(scores))
    rooted = rooted[rooted[:, root - 1] == 0]
    best = total(scores, rooted).max()
    if np.isneginf(best):
        with pytest.raises(TreeError, match="no tree with exactly one root"):
            arborescence(scores, root=root)
    else:
        heads = arborescence(scores, root=root)
        assert heads[root - 1] == 0
        assert total(scores, heads) == best


@pytest.mark.parametrize("seed", range(8))
def test_networkx(seed):
    """Whole scores, zeros among them, laid arc by arc; one root by trying each."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(7, 15))
    scores = rng.integers(-20, 21, size=(n, n + 1)).astype(float)
    best = -np.inf
    for root in range(1, n + 1):
        graph = nx.DiGraph()
        graph.add_edge(0, root, weight=scores[root - 1, 0])
        for word in range(1, n + 1):
            for head in range(1, n + 1):
                if head != word and word != root:
                    graph.add_edge(head, word, weight=scores[word - 1, head])
        tree = nx.maximum_spanning_arborescence(graph)
        forced = total(scores, arborescence(scores, root=root))
        assert forced == tree.size(weight="weight")
        best = max(best, forced)
    assert total(scores, arborescence(scores)) == best


def test_one_root_is_no_afterthought():
    """All words prefer the root by far; the best root is not the one with the best root arc."""
    scores = np.array([[100.0, 0, 0, 0], [99, 50, 0, 50], [98, 0, 0, 0]])
    # Root 1: 100 + 50 + 0; root 2: 99 + 0 + 0; root 3: 98 + 50 + 0.
    assert arborescence(scores).tolist() == [0, 1, 1]
    scores[0, 1:] = scores[2, 1:] = [5, 60, 5]
    # Root 1: 100 + 50 + 60 (3 on 2); root 2: 99 + 60 + 60, though its root arc is the lesser.
    assert arborescence(scores).tolist() == eisner(scores).tolist() == [2, 0, 2]


@pytest.mark.parametrize("decode", [arborescence, eisner])
@given(heads=trees(max_size=15), noise=st.integers(0, 2**31))
def test_a_tree_that_outscores_all_is_found(decode, heads, noise):
    scores = np.random.default_rng(noise).random((len(heads), len(heads) + 1))
    scores[np.arange(len(heads)), heads] += len(heads)
    found = decode(scores).tolist()
    if decode is arborescence or is_projective(heads):
        assert found == heads
    assert decode is arborescence or is_projective(found)
    assert decode(scores).tolist() == found


@given(scores=arc_scores(8))
def test_the_diagonal_is_not_looked_at_and_scores_stay(scores):
    scores = np.maximum(scores, -9)
    words = np.arange(len(scores))
    marked = scores.copy()
    marked[words, words + 1] = np.nan
    before = marked.copy()
    assert (arborescence(marked) == arborescence(scores)).all()
    assert (eisner(marked) == eisner(scores)).all()
    assert np.array_equal(marked, before, equal_nan=True)


@pytest.mark.fault_class("numbers")
def test_ties_go_to_the_lower_head_and_the_first_root():
    assert arborescence(np.zeros((4, 5))).tolist() == [0, 1, 1, 1]
    assert eisner(np.zeros((4, 5))).tolist() == [0, 1, 2, 3]
    # Word 3 may hang on 1 or 2 for the same score.
    scores = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]]
    assert arborescence(scores).tolist() == [0, 1, 1]


def test_large_scores_do_not_break_the_one_root():
    """No constant is mixed into the scores, so differences far below the largest count."""
    scores = np.array([[1e15, 0, 0], [1e15, 0.5, 0]])
    assert arborescence(scores).tolist() == [0, 1]
    assert arborescence(scores[::-1, [0, 2, 1]]).tolist() == [2, 0]


@pytest.mark.parametrize("decode", [arborescence, eisner])
def test_bad_input(decode):
    with pytest.raises(TreeError, match=r"shape \(2, 2\); pass shape \(n, n \+ 1\)"):
        decode(np.zeros((2, 2)))
    with pytest.raises(TreeError, match=r"shape \(0, 1\)"):
        decode(np.zeros((0, 1)))
    with pytest.raises(TreeError, match=r"shape \(3,\)"):
        decode(np.zeros(3))
    scores = np.zeros((3, 4))
    for value in (np.nan, np.inf):
        scores[1, 3] = value
        with pytest.raises(TreeError, match=rf"head 3 for word 2 \(counted from 1\) is {value}"):
            decode(scores)


@pytest.mark.parametrize("root", [0, 4, -1])
def test_root_that_is_no_word(root):
    with pytest.raises(TreeError, match=f"root {root} is not a word; choose from 1 to 3"):
        arborescence(np.zeros((3, 4)), root=root)
