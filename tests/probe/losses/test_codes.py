"""The codes of trees, distances and depths against all that may be, written out."""

from __future__ import annotations

from itertools import combinations
from math import log2

import numpy as np
import pytest
from networkx import Graph, bfs_edges, is_tree
from scipy.optimize import minimize_scalar
from support.planted import planted

from structprobe.probe.losses.codes import CODES, LaplaceCode, TreeCode, fit_sharpness, uniform_bits
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees import gold_depths, gold_distances, tree_depths, tree_distances


def all_rooted_trees(n: int) -> list[np.ndarray]:
    """The heads of every tree of n words, with every root."""
    found = []
    for chosen in combinations(combinations(range(n), 2), n - 1):
        graph = Graph()
        graph.add_nodes_from(range(n))
        graph.add_edges_from(chosen)
        for root in range(n) if is_tree(graph) else ():
            heads = np.zeros(n, dtype=int)
            for head, word in bfs_edges(graph, root):
                heads[word] = head + 1
            found.append(heads)
    return found


def random_squares(n: int, seed: int, scale: float = 3.0) -> np.ndarray:
    values = np.random.default_rng(seed).exponential(scale, size=(n, n))
    return np.triu(values, 1) + np.triu(values, 1).T


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("sharpness", [0.0, 0.7, 3.0])
def test_the_trees_share_all_probability(n: int, sharpness: float) -> None:
    trees = all_rooted_trees(n)
    assert len(trees) == max(1, n ** (n - 1))
    distances = random_squares(n, n)
    found = TreeCode.of([distances] * len(trees), trees).bits(sharpness)
    assert (2**-found).sum() == pytest.approx(1, abs=1e-12)
    sums = [sum(distances[i, h - 1] for i, h in enumerate(heads) if h) for heads in trees]
    weights = np.exp(-sharpness * np.array(sums))
    np.testing.assert_allclose(2**-found, weights / weights.sum(), rtol=1e-9)
    if not sharpness:
        np.testing.assert_allclose(found, uniform_bits("tree", np.full(len(trees), n)), atol=1e-9)


def test_trees_of_words_that_lie_too_far_apart_share_all_probability() -> None:
    trees = all_rooted_trees(4)
    distances = np.full((4, 4), 1e5)
    distances[0, 1] = distances[1, 0] = 0
    found = TreeCode.of([distances] * len(trees), trees).bits(1.0)
    assert np.isfinite(found).all()
    assert (2**-found).sum() == pytest.approx(1)


def test_a_tree_costs_the_same_in_any_batch() -> None:
    rng = np.random.default_rng(0)
    heads = [random_heads(n, rng) for n in (1, 7, 2, 8, 5, 7)]
    distances = [random_squares(len(own), seed) for seed, own in enumerate(heads)]
    together = TreeCode.of(distances, heads).bits(0.5)
    alone = [
        TreeCode.of([one], [own]).bits(0.5)[0] for one, own in zip(distances, heads, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def slow_laplace(predicted: float, lowest: int, highest: int, sharpness: float) -> dict[int, float]:
    """The probability of every value."""
    weights = {d: np.exp(-sharpness * abs(d - predicted)) for d in range(lowest, highest + 1)}
    return {d: weight / sum(weights.values()) for d, weight in weights.items()}


@pytest.mark.parametrize("sharpness", [0.0, 1e-9, 0.3, 2.5, 10.0])
@pytest.mark.parametrize("predicted", [-3.0, 0.0, 0.2, 1.0, 2.5, 3.999, 4.0, 60.0])
def test_the_values_share_all_probability(predicted: float, sharpness: float) -> None:
    """One sentence a value, each of five words, whose other values are certain to be told apart."""
    for lowest, highest in ((0, 4), (1, 4)):
        gold = np.arange(lowest, highest + 1.0)
        m = len(gold)
        near = np.clip(np.full(m, predicted), lowest, highest)
        code = LaplaceCode(np.arange(m), near, gold, lowest, np.full(m, highest), m)
        found = 2 ** -code.bits(sharpness)
        assert found.sum() == pytest.approx(1)
        slow = slow_laplace(predicted, lowest, highest, sharpness)
        np.testing.assert_allclose(found, [*slow.values()], rtol=1e-7)


@pytest.mark.parametrize("kind", ["distances", "depths"])
def test_sentences_are_sums_over_their_values(kind: str) -> None:
    rng = np.random.default_rng(1)
    heads = [random_heads(n, rng) for n in (1, 2, 6, 3)]
    bits = []
    if kind == "distances":
        predicted = [random_squares(len(own), seed) for seed, own in enumerate(heads)]
        for values, own in zip(predicted, heads, strict=True):
            gold, n = tree_distances(own), len(own)
            bits.append([-log2(slow_laplace(values[i, j], 1, n - 1, 0.8)[gold[i, j]])
                         for i, j in combinations(range(n), 2)])  # fmt: skip
    else:
        predicted = [rng.exponential(3, size=len(own)) for own in heads]
        for values, own in zip(predicted, heads, strict=True):
            gold, n = tree_depths(own), len(own)
            bits.append([-log2(slow_laplace(values[i], 0, n - 1, 0.8)[gold[i]]) for i in range(n)])
    code = CODES[kind](predicted, heads)
    np.testing.assert_allclose(code.bits(0.8), [sum(one) for one in bits], rtol=1e-9)
    uniform = uniform_bits(kind, np.array([*map(len, heads)]))
    np.testing.assert_allclose(code.bits(0.0), uniform, atol=1e-9)


@pytest.mark.parametrize("kind", ["distances", "depths"])
def test_the_width_is_the_one_of_the_maximum_likelihood(kind: str) -> None:
    rng = np.random.default_rng(2)
    heads = [random_heads(int(n), rng) for n in rng.integers(2, 9, size=30)]
    gold = gold_distances(heads) if kind == "distances" else gold_depths(heads)
    predicted = [one + rng.laplace(0, 1.5, size=one.shape) for one in gold]
    if kind == "distances":
        predicted = [(one + one.T) / 2 for one in predicted]
    least = 1 if kind == "distances" else 0

    def nats(width: float) -> float:
        total = 0.0
        for values, known in zip(predicted, gold, strict=True):
            n = len(known)
            places = combinations(range(n), 2) if kind == "distances" else ((i,) for i in range(n))
            for place in places:
                slow = slow_laplace(values[place], least, n - 1, 1 / width)
                total -= np.log(slow[int(known[place])])
        return total

    best = minimize_scalar(nats, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-3})
    code = CODES[kind](predicted, heads)
    assert 1 / fit_sharpness(code) == pytest.approx(best.x, rel=0.03)
    at_best = code.bits(fit_sharpness(code)).sum() * np.log(2)
    assert at_best == pytest.approx(best.fun, rel=1e-3)


@pytest.mark.parametrize("scale", [50.0, 1e4, 1e7])
@pytest.mark.parametrize("kind", ["tree", "distances"])
def test_distances_that_say_nothing_are_not_trusted(kind: str, scale: float) -> None:
    """As after training on a few sentences: far off, by any order of magnitude."""
    rng = np.random.default_rng(3)
    heads = [random_heads(10, rng) for _ in range(20)]
    noise = [random_squares(10, seed, scale) for seed in range(20)]
    code = CODES[kind](noise, heads)
    uniform = uniform_bits(kind, np.full(20, 10)).sum()
    assert 0.9 < code.bits(fit_sharpness(code)).sum() / uniform < 1 + 1e-9
    assert code.bits(1.0).sum() > 1.3 * uniform


def test_distances_on_another_scale_are_as_good() -> None:
    rng = np.random.default_rng(4)
    heads = [random_heads(8, rng) for _ in range(20)]
    exact = [1.0 * one for one in gold_distances(heads)]
    bits = []
    for scale in (3.0, 1.0, 1e-1, 1e4):
        noisy = [scale * (one + random_squares(8, seed, 2.0)) for seed, one in enumerate(exact)]
        code = TreeCode.of(noisy, heads)
        bits.append(code.bits(fit_sharpness(code)).sum())
    assert bits[1:2] + bits[3:] == pytest.approx([bits[0]] * 2, rel=1e-3)


def test_what_is_predicted_exactly_costs_little() -> None:
    _, heads = planted(20, seed=0)
    heads = [own for own in heads if len(own) > 2]
    distances = CODES["distances"]([1.0 * one for one in gold_distances(heads)], heads)
    assert fit_sharpness(distances) > 9.5
    assert distances.bits(fit_sharpness(distances)).sum() < 1
