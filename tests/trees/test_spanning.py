"""Minimum spanning trees against brute force, networkx and scipy; ties; bad input."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from support.tree_cases import all_trees, trees

from structprobe.errors import TreeError
from structprobe.trees import decode_rooted, edges, spanning_tree, spanning_trees, tree_distances

few = st.integers(-3, 3)
finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@st.composite
def matrices(draw, max_size=8, elements=few):
    """A symmetrical matrix with many ties, zeros and negative distances among it."""
    n = draw(st.integers(1, max_size))
    upper = np.triu(draw(hnp.arrays(np.float64, (n, n), elements=elements)), 1)
    return upper + upper.T


def total(heads, distances):
    return sum(distances[i, j] for i, j in edges(heads))


def kruskal(distances):
    """The edges of the minimum spanning tree by (distance, i, j), with sets of words."""
    n = len(distances)
    pairs = [(distances[i, j], i, j) for i in range(n) for j in range(i + 1, n)]
    part, taken = list(range(n)), []
    for _, i, j in sorted(pairs):
        if part[i] != part[j]:
            taken.append([i, j])
            part = [part[i] if one == part[j] else one for one in part]
    return sorted(taken)


@given(matrices(max_size=5), st.data())
def test_brute_force(distances, data):
    n = len(distances)
    root = data.draw(st.integers(0, n - 1))
    heads = spanning_tree(distances, root)
    assert heads[root] == 0
    assert total(heads, distances) == min(total(tree, distances) for tree in all_trees(n))


@pytest.mark.parametrize("seed", range(5))
def test_brute_force_six_words(seed):
    upper = np.triu(np.random.default_rng(seed).normal(size=(6, 6)), 1)
    distances = upper + upper.T
    trees_of_six = all_trees(6)
    word = np.arange(6)
    weights = np.where(trees_of_six > 0, distances[word, trees_of_six - 1], 0).sum(axis=1)
    best = trees_of_six[np.isclose(weights, weights.min())]
    assert len(best) == 6  # one tree, in its six rootings
    for root in range(6):
        assert spanning_tree(distances, root).tolist() in best.tolist()


@pytest.mark.fault_class("numbers")
@given(st.one_of(matrices(12), matrices(12, finite)), st.data())
def test_ties_by_distance_and_place_whatever_the_root(distances, data):
    root = data.draw(st.integers(0, len(distances) - 1))
    assert edges(spanning_tree(distances, root)).tolist() == kruskal(distances)


@given(matrices(12, finite))
def test_networkx_and_scipy(distances):
    """Distances shifted above zero, since both read a zero in an array as no edge."""
    n = len(distances)
    shifted = distances - distances.min() + 1
    np.fill_diagonal(shifted, 0)
    ours = total(spanning_tree(distances), shifted)
    graph = nx.from_numpy_array(shifted)
    theirs = nx.minimum_spanning_tree(graph).size(weight="weight")
    assert ours == pytest.approx(theirs)
    assert ours == pytest.approx(minimum_spanning_tree(csr_array(shifted)).sum() if n > 1 else 0)


@given(trees(max_size=15), st.data())
def test_gold_distances_give_back_the_tree(heads, data):
    root = heads.index(0)
    assert spanning_tree(tree_distances(heads), root).tolist() == heads
    other = data.draw(st.integers(0, len(heads) - 1))
    assert (edges(spanning_tree(tree_distances(heads), other)) == edges(heads)).all()


@pytest.mark.fault_class("numbers")
@given(st.lists(matrices(), min_size=1, max_size=6), st.integers(0, 3), st.data())
def test_batch_and_padding_change_nothing(sentences, more, data):
    lengths = [len(one) for one in sentences]
    roots = [data.draw(st.integers(0, length - 1)) for length in lengths]
    n = max(lengths) + more
    fill = data.draw(st.sampled_from([0.0, -1e9, np.nan, np.inf]))
    batch = np.full((len(sentences), n, n), fill)
    for row, one in zip(batch, sentences, strict=True):
        row[: len(one), : len(one)] = one
    heads = spanning_trees(batch, lengths, roots)
    for row, one, root in zip(heads, sentences, roots, strict=True):
        assert row[: len(one)].tolist() == spanning_tree(one, root).tolist()
        assert (row[len(one) :] == -1).all()


@given(st.lists(matrices(), max_size=6), st.data())
def test_decode_rooted(sentences, data):
    depths = [data.draw(hnp.arrays(np.float32, len(one), elements=finite)) for one in sentences]
    decoded = decode_rooted(sentences, depths)
    for heads, distances, depth in zip(decoded, sentences, depths, strict=True):
        assert heads.tolist() == spanning_tree(distances, int(depth.argmin())).tolist()


@given(st.lists(matrices(), max_size=6), st.data())
def test_decoding_some_words_is_decoding_their_distances_alone(sentences, data):
    masks = [
        np.array(data.draw(st.lists(st.booleans(), min_size=len(one), max_size=len(one))))
        for one in sentences
    ]
    depths = [data.draw(hnp.arrays(np.float64, len(one), elements=few)) for one in sentences]
    decoded = decode_rooted(sentences, depths, masks)
    for heads, distances, depth, mask in zip(decoded, sentences, depths, masks, strict=True):
        places = np.flatnonzero(mask)
        expected = np.full(len(mask), -1)
        if len(places):
            root = min(range(len(places)), key=lambda word: depth[places[word]])
            alone = spanning_tree(distances[np.ix_(places, places)], root)
            expected[places] = np.append(0, places + 1)[alone]
        assert heads.tolist() == expected.tolist()


def test_the_root_is_a_kept_word_however_deep():
    (heads,) = decode_rooted([np.zeros((3, 3))], [[0, np.inf, np.inf]], [[False, True, True]])
    assert heads.tolist() == [-1, 0, 2]


def test_what_is_said_of_words_that_are_not_kept_is_not_looked_at():
    distances = np.array([[0, np.nan, 1], [np.inf, 0, np.nan], [1, np.nan, 0]])
    assert decode_rooted([distances], [[1, 0, 2]], [[True, False, True]])[0].tolist() == [0, -1, 1]
    with pytest.raises(
        TreeError, match=r"words 1 and 2 .* is nan in one direction and inf in the other"
    ):
        decode_rooted([distances], [[1, 0, 2]], [[True, True, True]])


def test_first_of_equally_shallow_words_is_the_root():
    assert decode_rooted([np.zeros((3, 3))], [[2, 1, 1]])[0].tolist() == [2, 0, 1]


@pytest.mark.parametrize("dtype", [np.int16, np.float16, np.float32])
def test_types_of_numbers(dtype):
    distances = np.array([[0, 2, 4], [2, 0, 1], [4, 1, 0]], dtype=dtype)
    assert spanning_tree(distances, 1).tolist() == [2, 0, 2]


def test_a_distance_is_averaged_with_its_mirror():
    # 1-2: (1 + 4) / 2; 1-3: (0 + 8) / 2; 2-3: (3 + 3) / 2. Out: 1-3.
    askew = np.array([[0, 1, 8], [4, 0, 3], [0, 3, 0]])
    assert spanning_tree(askew).tolist() == spanning_tree(askew.T).tolist() == [0, 1, 2]
    # Rounding around zero, as between two words of the same vector: all tied, first edges first.
    noise = np.array([[0, 1e-7, 0], [-1e-7, 0, 0], [0, 0, 0]])
    assert spanning_tree(noise, 2).tolist() == [3, 1, 0]
    assert spanning_tree([[0, 1.7e308], [-1.7e308, 0]]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("value", "mirror", "message"),
    [
        (
            np.nan,
            np.nan,
            r"words 1 and 3 .* is nan in one direction and nan in the other; .*finite",
        ),
        (1.0, np.nan, "is 1 in one direction and nan in the other; distances must be finite"),
        (np.inf, np.inf, "is inf in one direction and inf in the other; distances must be finite"),
        (-np.inf, np.inf, "is -inf in one direction"),
    ],
)
def test_bad_distances(value, mirror, message):
    distances = np.zeros((3, 3))
    distances[0, 2], distances[2, 0] = value, mirror
    with pytest.raises(TreeError, match=r"^sentence 0 \(counted from 0\): .*" + message):
        spanning_tree(distances)
    good = np.zeros((3, 3))
    with pytest.raises(TreeError, match=r"^sentence 2 \(counted from 0\): .*" + message):
        decode_rooted([good, good[:2, :2], distances], [np.arange(3), np.arange(2), np.arange(3)])


def test_bad_shapes_roots_and_depths():
    square = np.zeros((3, 3))
    for wrong in (np.zeros((2, 3)), np.zeros(3), 1.0, np.empty((0, 0)).reshape(0, 0)[None]):
        with pytest.raises(TreeError, match="do not match"):
            spanning_tree(wrong)
    with pytest.raises(TreeError, match=r"root 3 \(0-based\) is not one of 3 words in 3"):
        spanning_tree(square, 3)
    with pytest.raises(TreeError, match="root -1"):
        spanning_tree(square, -1)
    with pytest.raises(TreeError, match="not one of 4 words in 3"):
        spanning_trees(square[None], [4], [0])
    with pytest.raises(TreeError, match="not one of 0 words in 0"):
        spanning_tree(np.empty((0, 0)))
    with pytest.raises(TreeError, match="lengths of shape"):
        spanning_trees(square[None], [3, 3], [0])
    with pytest.raises(TreeError, match=r"roots of shape \(1,\)"):
        spanning_trees(np.zeros((2, 3, 3)), [3, 3], [0])
    with pytest.raises(TreeError, match=r"distances of shape \(\) do not match"):
        spanning_trees(1.0, [3], [0])
    with pytest.raises(TreeError, match=r"sentence 1 .*the depth of word 2 .* is NaN"):
        decode_rooted([square, square], [[0, 1, 2], [0, np.nan, 1]])
    with pytest.raises(TreeError, match="distances for 1 sentence, but depths for 2"):
        decode_rooted([square], [[0, 1, 2], [0, 1, 2]])
    with pytest.raises(
        TreeError, match="kept covers 0 sentences of 0 words, but depths 1 sentence of 3 words"
    ):
        decode_rooted([square], [[0, 1, 2]], [])
    with pytest.raises(
        TreeError, match="kept covers 1 sentence of 2 words, but depths 1 sentence of 3 words"
    ):
        decode_rooted([square], [[0, 1, 2]], [[True, True]])
    with pytest.raises(TreeError, match=r"sentence 0 .*shape \(3, 3\) do not match .* \(2,\)"):
        decode_rooted([square], [[0, 1]])
    with pytest.raises(TreeError, match="do not match"):
        decode_rooted([np.empty((0, 0))], [[]])


def test_distances_whose_sum_is_no_float():
    most = np.finfo(np.float64).max
    far = most * np.array([[0, 0.9, 0.7], [0.9, 0, 0.8], [0.7, 0.8, 0]])
    assert spanning_tree(far).tolist() == [0, 3, 1]
