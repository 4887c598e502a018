"""The tree likelihood against the sum over all spanning trees, written out."""

from __future__ import annotations

from itertools import combinations
from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx import Graph, is_tree
from support.planted import planted
from torch import Tensor

from structprobe import StructuralProbe
from structprobe.errors import ProbeError
from structprobe.probe.data.batches import PairBatch, Pool, rows_of
from structprobe.probe.layer_sweep import LayerSweep
from structprobe.probe.losses.tree_likelihood import TreeLoss, log_partition
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees import edges, gold_distances


def all_trees(n: int) -> list[list[tuple[int, int]]]:
    """Every spanning tree of n words, by trying all sets of n - 1 edges."""
    found = []
    for chosen in combinations(combinations(range(n), 2), n - 1):
        graph = Graph()
        graph.add_nodes_from(range(n))
        graph.add_edges_from(chosen)
        if is_tree(graph):
            found.append([*chosen])
    return found


ALL_TREES = {n: all_trees(n) for n in range(1, 6)}


def slow_partition(distances: Tensor) -> Tensor:
    """Log of the sum over all trees of exp(-sum of distances)."""
    trees = ALL_TREES[len(distances)]
    sums = [-sum((distances[i, j] for i, j in tree), torch.zeros(()).double()) for tree in trees]
    return torch.stack(sums).logsumexp(0)


def random_distances(n: int, seed: int) -> Tensor:
    values = torch.from_numpy(np.random.default_rng(seed).normal(scale=3, size=(n, n)))
    return values + values.T


def padded(matrices: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Put matrices into one batch, with values in the padding that must not matter."""
    n = max(map(len, matrices))
    distances = torch.full((len(matrices), n, n), -200.0, dtype=matrices[0].dtype)
    real = torch.zeros(len(matrices), n, n, dtype=torch.bool)
    for row, is_pair, one in zip(distances, real, matrices, strict=True):
        row[: len(one), : len(one)] = one
        is_pair[: len(one), : len(one)] = ~torch.eye(len(one), dtype=torch.bool)
    return distances, real


def test_cayley_counts_the_trees() -> None:
    assert [len(trees) for trees in ALL_TREES.values()] == [1, 1, 3, 16, 125]
    log_z, _ = log_partition(*padded([torch.zeros(n, n).double() for n in range(1, 9)]))
    counts = [1, 1, *(n ** (n - 2) for n in range(3, 9))]
    np.testing.assert_allclose(log_z.exp(), counts, rtol=1e-12)


def test_three_words_by_hand() -> None:
    """Edges of weight 1, 2 and 4: trees of 1*2, 1*4 and 2*4; Z = 14."""
    d01, d02, d12 = 0.0, -log(2), -log(4)
    distances = torch.tensor([[[0, d01, d02], [d01, 0, d12], [d02, d12, 0]]], dtype=torch.float64)
    log_z, marginals = log_partition(distances, ~torch.eye(3, dtype=torch.bool)[None])
    assert exp(log_z.item()) == pytest.approx(14)
    found = [marginals[0, i, j].item() * 14 for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found == pytest.approx([2 + 4, 2 + 8, 4 + 8])


@settings(deadline=None, max_examples=25)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_padded_sentences_against_all_trees(lengths: list[int], seed: int) -> None:
    matrices = [random_distances(n, seed + place) for place, n in enumerate(lengths)]
    log_z, marginals = log_partition(*padded(matrices))
    for one, found, own in zip(matrices, log_z, marginals, strict=True):
        one.requires_grad_()
        expected = slow_partition(one)
        assert found.item() == pytest.approx(expected.item(), abs=1e-9)
        slopes = torch.zeros_like(one)
        if len(one) > 1:  # the slope of log Z in a distance is minus the edge's probability
            (slopes,) = torch.autograd.grad(expected, one)
        n = len(one)
        torch.testing.assert_close(own[:n, :n], -(slopes + slopes.T), atol=1e-9, rtol=1e-9)
        assert own.sum().item() == pytest.approx(2 * (n - 1))


def test_no_digit_is_lost_between_tight_groups() -> None:
    """Two pairs at distance 0, 50 apart: four trees weigh exp(-50), all others far less.

    In float32 the Laplacian's determinant is a difference of numbers that are all the same.
    """
    distances = torch.full((1, 4, 4), 50.0)
    distances[0, 0, 1] = distances[0, 1, 0] = distances[0, 2, 3] = distances[0, 3, 2] = 0
    log_z, marginals = log_partition(distances, ~torch.eye(4, dtype=torch.bool)[None])
    assert log_z.item() == pytest.approx(log(4) - 50, abs=1e-5)
    expected = torch.full((4, 4), 0.25).fill_diagonal_(0)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = 1
    torch.testing.assert_close(marginals[0], expected)


def test_words_that_all_lie_far_apart() -> None:
    """What stands on the diagonal, nearer than any pair, is no weight."""
    log_z, marginals = log_partition(*padded([torch.full((n, n), 300.0) for n in (3, 2)]))
    assert log_z.tolist() == pytest.approx([log(3) - 600, -300])
    assert marginals.diagonal(dim1=1, dim2=2).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert marginals.sum((1, 2)).tolist() == pytest.approx([4, 2])


@pytest.mark.fault_class("non-finite")
def test_beyond_the_type_all_stays_finite() -> None:
    distances = torch.full((1, 6, 6), 5000.0)
    distances[0, :3, :3] = 0
    log_z, marginals = log_partition(distances, ~torch.eye(6, dtype=torch.bool)[None])
    assert torch.isfinite(log_z).all()
    assert marginals.sum().item() == pytest.approx(2 * 5, rel=1e-4)


def make_batch(lengths: list[int], seed: int, layers: tuple[int, ...] = ()) -> tuple:
    """Random vectors, 4 wide, with random trees, as one batch."""
    rng = np.random.default_rng(seed)
    heads = [random_heads(n, rng) for n in lengths]
    vectors = torch.from_numpy(rng.normal(size=(*layers, sum(lengths), 4)))
    parts = [part - part.mean(-2, keepdim=True) for part in vectors.split(lengths, -2)]
    centred = torch.cat([*parts, vectors.new_zeros(*layers, 1, 4)], -2)
    gold = torch.from_numpy(np.concatenate([one.ravel() for one in gold_distances(heads)]))
    pool = Pool(np.array(lengths), gold, True, torch.float64)
    batch = pool.batch(np.arange(len(lengths)))
    return heads, vectors, rows_of(centred, batch.rows), batch


def slow_loss(B: Tensor, vectors: Tensor, heads: list) -> Tensor:
    """Minus the log of the gold tree's share, edge by edge, over all trees."""
    total, first = torch.zeros((), dtype=torch.float64), 0
    for own in heads:
        n = len(own)
        words = vectors[first : first + n] @ B.T
        distances = (words[:, None] - words[None]).square().sum(-1)
        told = sum((distances[i, j] for i, j in edges(own)), torch.zeros(()).double())
        if n > 1:
            total = total + (told + slow_partition(distances)) / (n - 1)
        first += n
    return total / len(heads)


@settings(deadline=None, max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    rank=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_loss_and_gradient_are_those_of_autograd_on_all_trees(
    lengths: list[int], rank: int, seed: int
) -> None:
    heads, vectors, rows, batch = make_batch(lengths, seed)
    B = torch.from_numpy(np.random.default_rng(seed).normal(size=(rank, 4))).requires_grad_()
    expected = slow_loss(B, vectors, heads)
    expected_gradient = torch.zeros_like(B)
    if max(lengths) > 1:
        (expected_gradient,) = torch.autograd.grad(expected, B)
    gradient = torch.full_like(B, torch.nan)
    with torch.no_grad():
        loss = TreeLoss()(B, rows, batch, gradient)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-9, rtol=1e-8)


def test_gradient_of_long_sentences_by_finite_differences() -> None:
    _, _, rows, batch = make_batch([23, 9, 1], seed=4)
    B = torch.from_numpy(np.random.default_rng(5).normal(size=(3, 4)))
    gradient = torch.empty_like(B)
    TreeLoss()(B, rows, batch, gradient)
    for place in ((0, 0), (1, 3), (2, 2)):
        step = torch.zeros_like(B)
        step[place] = 1e-5
        rise = TreeLoss()(B + step, rows, batch) - TreeLoss()(B - step, rows, batch)
        assert gradient[place].item() == pytest.approx(rise.item() / 2e-5, rel=1e-5)


def test_leading_layers_and_bfloat16() -> None:
    _, _, rows, batch = make_batch([3, 1, 4], seed=1, layers=(2,))
    B = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 3, 4)))
    gradient = torch.empty_like(B)
    together = TreeLoss()(B, rows, batch, gradient)
    assert together.shape == (2,)
    for layer in range(2):
        expected = torch.empty_like(B[layer])
        alone = TreeLoss()(B[layer], rows[layer], batch, expected)
        assert alone.item() == pytest.approx(together[layer].item())
        torch.testing.assert_close(gradient[layer], expected)
    rounded = torch.empty_like(B)
    found = TreeLoss()(B, rows.bfloat16(), batch, rounded)
    torch.testing.assert_close(found, together, rtol=0.05, atol=0)
    assert (rounded - gradient).norm() < 0.05 * gradient.norm()


def test_batches_that_are_met_again() -> None:
    """What is remembered of a batch is that batch's, and only of those that stay."""
    loss, B = TreeLoss(), torch.from_numpy(np.random.default_rng(0).normal(size=(2, 4)))
    for seed in (0, 1, 0):
        lengths = [4, 2, 5]
        _, vectors, _, passing = make_batch(lengths, seed)
        kept: PairBatch = PairBatch(
            *(getattr(passing, name) for name in PairBatch.__slots__ if name != "stays"), stays=True
        )
        rows = rows_of(torch.cat([vectors, torch.zeros(1, 4).double()]), passing.rows)
        expected = TreeLoss()(B, rows, passing).item()
        assert [loss(B, rows, one).item() for one in (kept, kept, passing)] == [expected] * 3
    assert len(loss._known) == 3


def test_the_planted_trees_are_found() -> None:
    train, dev, test = (planted(200, seed=seed) for seed in range(3))
    probe = StructuralProbe(loss="tree", max_steps=300, random_state=0, device="cpu")
    probe.fit(*train, dev=dev)
    scores = probe.evaluate(*test)
    assert scores.uuas == 1.0
    assert probe.history_["distance"]["best_dev_loss"] < 0.2
    absolute = StructuralProbe(max_steps=300, random_state=0, device="cpu").fit(*train, dev=dev)
    np.testing.assert_array_equal(absolute.depth_components_, probe.depth_components_)
    assert not np.allclose(absolute.distance_components_, probe.distance_components_)


def test_scale_of_a_direction_does_not_matter() -> None:
    (X, y), dev, (X_test, y_test) = (planted(120, seed=seed, noise=0.2) for seed in range(3))
    scales = np.ones(24, dtype=np.float32)
    scales[3] = 1e3  # as in decoders, of which one dimension may be a thousand times the others
    found = []
    for factor in (np.ones_like(scales), scales):
        probe = StructuralProbe(loss="tree", max_steps=60, random_state=0, device="cpu")
        probe.fit([x * factor for x in X], y, dev=([x * factor for x in dev[0]], dev[1]))
        uuas = probe.evaluate([x * factor for x in X_test], y_test).uuas
        found.append((probe.history_["distance"]["best_dev_loss"], uuas))
    # The axes come in another order, and so the start is another.
    (plain_loss, plain_uuas), (scaled_loss, scaled_uuas) = found
    assert scaled_loss == pytest.approx(plain_loss, rel=0.02)
    assert scaled_uuas == pytest.approx(plain_uuas, abs=0.02)


def test_all_layers_together_are_what_each_is_alone() -> None:
    (X, y), dev = (planted(40, seed=seed, noise=0.3) for seed in range(2))
    sweep = LayerSweep(loss="tree", max_steps=20, random_state=1, device="cpu")
    sweep.fit({0: X, 1: [x[:, ::-1] for x in X]}, y, dev=({0: dev[0], 1: dev[0]}, dev[1]))
    alone = StructuralProbe(loss="tree", max_steps=20, random_state=1, device="cpu")
    alone.fit(X, y, dev=dev)
    np.testing.assert_array_equal(sweep.probes_[0].distance_components_, alone.distance_components_)


def test_an_unknown_loss_is_named() -> None:
    X, y = planted(10, seed=0)
    with pytest.raises(ProbeError, match=r"unknown loss 'hinge'.*absolute"):
        StructuralProbe(loss="hinge").fit(X, y)


def test_the_loss_is_saved(tmp_path) -> None:
    X, y = planted(10, seed=0)
    probe = StructuralProbe(loss="tree", max_steps=2, random_state=0).fit(X, y, dev=(X, y))
    probe.save_pretrained(tmp_path / "probe")
    assert StructuralProbe.from_pretrained(tmp_path / "probe").loss == "tree"
    assert "loss=tree" in (tmp_path / "probe" / "README.md").read_text()
