"""Gold depths, distances and edges against hand-made cases and a walk over the tree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import all_trees, trees, walked_distances

from structprobe.errors import TreeError
from structprobe.trees import edges, gold_depths, gold_distances, tree_depths, tree_distances
from structprobe.trees.gold import (
    flat_depths,
    flat_distances,
    padded_tree_depths,
    padded_tree_distances,
)

# "A hearing is scheduled on the issue today", with its crossing arcs: issue hangs on hearing.
HEARING = [2, 4, 4, 0, 7, 7, 2, 4]


def test_non_projective_sentence_by_hand():
    assert tree_depths(HEARING).tolist() == [2, 1, 1, 0, 3, 3, 2, 1]
    assert tree_distances(HEARING)[4].tolist() == [3, 2, 4, 3, 0, 2, 1, 4]
    assert edges(HEARING).tolist() == [[0, 1], [1, 3], [1, 6], [2, 3], [3, 7], [4, 6], [5, 6]]


def test_one_word():
    assert tree_depths([0]).tolist() == [0]
    assert tree_distances([0]).tolist() == [[0]]
    assert edges([0]).shape == (0, 2)


def test_no_sentences():
    assert gold_distances([]) == gold_depths([]) == []


def test_long_chain():
    n = 300
    i = np.arange(n)
    assert (tree_distances(i) == abs(i[:, None] - i)).all()
    assert (tree_depths(i) == i).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_all_trees(n):
    for heads, distances in zip(all_trees(n), gold_distances(all_trees(n)), strict=True):
        assert (distances == walked_distances(heads)).all()


@given(st.lists(trees(), min_size=1, max_size=5))
def test_many_at_once_as_walked(sentences):
    distances, depths = gold_distances(sentences), gold_depths(sentences)
    for heads, matrix, row in zip(sentences, distances, depths, strict=True):
        walked = walked_distances(heads)
        assert matrix.dtype == row.dtype == np.int16
        assert (matrix == walked).all()
        assert (row == walked[heads.index(0)]).all()
        assert (row == tree_depths(heads)).all()
        assert {tuple(edge) for edge in edges(heads)} == {
            (i, j) for i, j in np.argwhere(walked == 1) if i < j
        }


@given(st.lists(trees(), min_size=1, max_size=5), st.integers(0, 3), st.integers(-5, 5))
def test_padding_is_not_looked_at(sentences, more, fill):
    lengths = [len(heads) for heads in sentences]
    n = max(lengths) + more
    heads = np.full((len(sentences), n), fill)
    for row, one in zip(heads, sentences, strict=True):
        row[: len(one)] = one
    distances, depths = padded_tree_distances(heads, lengths), padded_tree_depths(heads, lengths)
    assert distances.shape == (len(sentences), n, n)
    for index, one in enumerate(sentences):
        length = len(one)
        assert (distances[index, :length, :length] == tree_distances(one)).all()
        assert distances[index].sum() == tree_distances(one).sum()
        assert (depths[index, :length] == tree_depths(one)).all()
        assert not depths[index, length:].any()


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([2, 1, 0], r"heads\[1\]: the heads form a cycle: 1 → 2 → 1"),
        ([0, 2, 2], r"heads\[1\]: word 2 is its own head"),
        ([0, 3, 4, 3], r"the heads form a cycle: 3 → 4 → 3"),
        ([0, 1, 0], r"heads\[1\]: 2 roots"),
        ([2, 3, 1], r"heads\[1\]: no word is the root"),
        ([0, 4, 1], r"heads\[1\]: head 4 of word 2 is out of range; choose from 0 to 3"),
        ([0, -1, 1], r"head -1 of word 2 is out of range; choose from 0 to 3"),
        ([], r"heads\[1\]: heads must be a sequence of integers, not \[\]"),
        (np.empty(0, int), r"heads\[1\]: a sentence without words has no tree"),
        ([0.0, 1.0], r"heads\[1\]: heads must be a sequence of integers, not \[0.0, 1.0\]"),
        ([[0, 1]], r"heads\[1\]: heads must be a sequence"),
        (None, r"heads\[1\]: heads must be a sequence of integers, not None"),
    ],
)
@pytest.mark.parametrize("function", [gold_depths, gold_distances])
def test_no_tree(function, heads, message):
    with pytest.raises(TreeError, match=message):
        function([[0, 1, 2], heads, [0]])


@pytest.mark.parametrize("function", [tree_depths, tree_distances, edges])
def test_no_tree_alone(function):
    with pytest.raises(TreeError, match="2 roots"):
        function([0, 0])


@pytest.mark.parametrize("function", [padded_tree_depths, padded_tree_distances])
def test_bad_batch(function):
    with pytest.raises(TreeError, match=r"heads\[1\]: 2 roots"):
        function([[0, 1], [0, 0]], [2, 2])
    with pytest.raises(TreeError, match=r"heads\[1\]: a sentence without words has no tree"):
        function([[0, 1], [0, 0]], [2, 0])
    with pytest.raises(TreeError, match="do not match lengths"):
        function([[0, 1]], [3])
    with pytest.raises(TreeError, match="do not match lengths"):
        function([[0, 1]], [2, 2])
    with pytest.raises(TreeError, match="do not match lengths"):
        function([0, 1], [2, 2])


@pytest.mark.parametrize(("n", "dtype"), [(1, np.uint8), (256, np.uint8), (257, np.int16)])
def test_flat_arrays_hold_the_same_in_as_little_room_as_can_be(n: int, dtype: type) -> None:
    sentences = [HEARING, [0], np.arange(n), [2, 0]]
    distances, depths = flat_distances(sentences), flat_depths(sentences)
    assert distances.dtype == dtype
    assert distances.max() == max(n - 1, 4)
    expected = [matrix.ravel() for matrix in gold_distances(sentences)]
    assert (distances == np.concatenate(expected)).all()
    assert (depths == np.concatenate(gold_depths(sentences))).all()
    assert len(flat_distances([])) == len(flat_depths([])) == 0
