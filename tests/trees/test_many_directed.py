"""Chu-Liu/Edmonds of many matrices at once against one at a time and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.slow_arborescence import slow_arborescence
from support.tree_cases import all_trees

from structprobe.errors import TreeError
from structprobe.trees import arborescence, arborescences

few = st.integers(-2, 2)
few_or_forbidden = st.one_of(few, st.just(-np.inf))
finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@st.composite
def batches(draw, elements, max_size=9):
    """Padded scores, lengths, and roots or none; NaN in the padding and on the diagonal."""
    b, n = draw(st.integers(0, 5)), draw(st.integers(1, max_size))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    scores = draw(hnp.arrays(dtype, (b, n, n + 1), elements=elements))
    lengths = np.array(draw(st.lists(st.integers(1, n), min_size=b, max_size=b)), dtype=int)
    for matrix, length in zip(scores, lengths, strict=True):
        matrix[length:] = matrix[:, length + 1 :] = np.nan
        matrix[np.arange(n), np.arange(1, n + 1)] = np.nan
    roots = np.array([draw(st.integers(1, length)) for length in lengths.tolist()], dtype=int)
    return scores, lengths, draw(st.sampled_from([None, roots]))


def one_by_one(scores, lengths, roots):
    """The trees of the slow one, which `arborescence` gives too; None where there is none."""
    found = []
    for index, length in enumerate(lengths.tolist()):
        root = None if roots is None else int(roots[index])
        own = scores[index, :length, : length + 1]
        heads = slow_arborescence(own, root)
        if heads is None:
            with pytest.raises(TreeError, match=r"^no tree with exactly one root"):
                arborescence(own, root=root)
            found.append(None)
        else:
            assert arborescence(own, root=root).tolist() == heads.tolist()
            found.append(heads.tolist() + [-1] * (scores.shape[1] - length))
    return found


@pytest.mark.fault_class("numbers")
@given(st.one_of(batches(few), batches(few_or_forbidden), batches(finite)))
def test_the_trees_of_one_at_a_time_ties_and_all(batch):
    scores, lengths, roots = batch
    before = scores.copy()
    expected = one_by_one(*batch)
    good = [index for index, heads in enumerate(expected) if heads is not None]
    if len(good) < len(expected):
        first = expected.index(None)
        with pytest.raises(TreeError, match=r"sentence \d+ \(counted from 0\): no tree with"):
            arborescences(scores, lengths, roots=roots)
        one = slice(first, first + 1)
        with pytest.raises(TreeError, match=r"sentence 0 .*no tree with exactly one root"):
            arborescences(scores[one], lengths[one], roots=None if roots is None else roots[one])
    heads = arborescences(scores[good], lengths[good], roots=None if roots is None else roots[good])
    assert heads.tolist() == [expected[index] for index in good]
    assert np.array_equal(scores, before, equal_nan=True)


@pytest.mark.parametrize("kind", ["sharp", "flat", "causal", "equal"])
@pytest.mark.parametrize("rooted", [False, True])
def test_attention_like_scores(kind, rooted):
    """Rows that sum to one, of up to 40 words, and no scores of roots; many groups of length."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 41, size=60)
    logits = rng.normal(size=(60, 40, 40)) * {"flat": 0.1, "equal": 0}.get(kind, 4)
    if kind == "causal":
        logits[:, np.triu(np.ones((40, 40), dtype=bool), 1)] = -np.inf
    weights = np.exp(logits)
    weights /= weights.sum(axis=-1, keepdims=True)
    scores = np.pad(weights.astype(np.float32), ((0, 0), (0, 0), (1, 0)))
    roots = rng.integers(1, lengths + 1) if rooted else None
    heads = arborescences(scores, lengths, roots=roots)
    assert heads.tolist() == one_by_one(scores, lengths, roots)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("forbidden", [0.0, 0.3])
@pytest.mark.parametrize("rooted", [False, True])
def test_brute_force(n, forbidden, rooted):
    rng = np.random.default_rng(n)
    scores = rng.integers(-3, 4, size=(200, n, n + 1)).astype(float)
    scores[rng.random(scores.shape) < forbidden] = -np.inf
    roots = rng.integers(1, n + 1, size=200) if rooted else None
    trees = all_trees(n)
    totals = scores[:, np.arange(n), trees].sum(axis=-1)  # (200, trees)
    if roots is not None:
        totals[trees[:, roots - 1].T != 0] = -np.inf
    best = totals.max(axis=1)
    some = np.isfinite(best)
    assert some.any()
    heads = arborescences(
        scores[some], np.full(some.sum(), n), roots=None if roots is None else roots[some]
    )
    reached = np.take_along_axis(scores[some], heads[:, :, None], axis=2)[..., 0].sum(axis=1)
    assert (reached == best[some]).all()
    known = {tuple(tree) for tree in trees.tolist()}
    assert all(tuple(tree) in known for tree in heads.tolist())
    if roots is not None:
        assert (heads[np.arange(some.sum()), roots[some] - 1] == 0).all()


def test_equal_root_arcs_leave_the_choice_to_the_words():
    """2 on 1 and 3 on 2 score 0.9 each; every other root would lose one of them."""
    attention = [[0.2, 0.6, 0.2], [0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]
    scores = np.pad(attention, ((0, 0), (1, 0)))[None]
    assert arborescences(scores, [3]).tolist() == [[0, 1, 2]]
    assert arborescences(scores + np.array([7, 0, 0, 0]), [3]).tolist() == [[0, 1, 2]]
    # With root 3, its 0.9 is lost: 1 on 2 and 2 on 3 (0.65), or 2 on 1 and 1 on 3 (1.1).
    assert arborescences(scores, [3], roots=[3]).tolist() == [[3, 1, 0]]


def test_no_sentences():
    assert arborescences(np.zeros((0, 4, 5)), []).shape == (0, 4)


def test_bad_input():
    scores = np.zeros((2, 3, 4))
    with pytest.raises(
        TreeError, match=r"shape \(2, 3, 3\) .* pass arc scores of shape \(b, n, n \+ 1\)"
    ):
        arborescences(scores[:, :, 1:], [3, 3])
    with pytest.raises(TreeError, match=r"lengths of shape \(1,\)"):
        arborescences(scores, [3])
    with pytest.raises(TreeError, match=r"shape \(\) do not match"):
        arborescences(0.0, [])
    for length in (0, 4):
        with pytest.raises(TreeError, match=f"sentence 1 .*length {length} .* choose from 1 to 3"):
            arborescences(scores, [3, length])
    with pytest.raises(TreeError, match=r"roots have shape \(1,\), but lengths \(2,\)"):
        arborescences(scores, [3, 3], roots=[1])
    for root in (0, 3):
        with pytest.raises(
            TreeError, match=f"sentence 1 .*root {root} is not a word; choose from 1"
        ):
            arborescences(scores, [3, 2], roots=[3, root])
    for value in (np.nan, np.inf):
        scores[1, 2, 1] = value
        with pytest.raises(TreeError, match=rf"sentence 1 .*head 1 for word 3 .* is {value}"):
            arborescences(scores, [2, 3])
        arborescences(scores, [2, 2])  # now in the padding
