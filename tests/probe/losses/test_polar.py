"""The loss of directions, against plain loops in float64 and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from structprobe.probe.data.batches import PairBatch, Pool, halve
from structprobe.probe.losses.geometry import DistanceLoss
from structprobe.probe.losses.polar import TEMPERATURE, PolarLoss, angle_loss
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees.gold import flat_distances


def plain(differences: torch.Tensor, relations: list[int]) -> torch.Tensor:
    """The cross-entropies of all arcs, one by one."""
    units = [row / row.norm() for row in differences]
    means = {}
    for name in set(relations):
        total = sum(u for u, other in zip(units, relations, strict=True) if other == name)
        means[name] = total / total.norm()
    loss = torch.zeros((), dtype=torch.float64)
    for unit, name in zip(units, relations, strict=True):
        odds = {other: (unit @ mean / TEMPERATURE).exp() for other, mean in means.items()}
        loss -= (odds[name] / sum(one + 1 / one for one in odds.values())).log()
    return loss


def test_as_plain_loops_and_autograd() -> None:
    rng = np.random.default_rng(0)
    relations = [0, 3, 3, 1, 0, 7, 3]
    drawn = torch.tensor(rng.normal(size=(7, 4)), requires_grad=True)
    found, gradient = angle_loss(drawn.detach(), torch.tensor(relations))
    expected = plain(drawn, relations)
    assert float(found) == pytest.approx(float(expected.detach()))
    (pull,) = torch.autograd.grad(expected, drawn)
    np.testing.assert_allclose(gradient, pull, rtol=1e-9, atol=1e-12)


def test_words_in_one_place_have_no_direction() -> None:
    drawn = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    loss, gradient = angle_loss(drawn, torch.tensor([0, 0, 1]))
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert not gradient[0].any()


def pool(n: int = 9, seed: int = 0) -> tuple[Pool, list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    heads = [random_heads(int(rng.integers(1, 8)), rng) for _ in range(n)]
    codes = [rng.integers(-1, 3, len(one)) for one in heads]  # -1: one that training never had
    told = {
        "heads": torch.tensor(np.concatenate(heads)),
        "relations": torch.tensor(np.concatenate(codes)),
    }
    distances = torch.from_numpy(flat_distances(heads))
    lengths = np.array([len(one) for one in heads])
    return Pool(lengths, distances, pairs=True, dtype=torch.float64, **told), heads, codes


def test_the_arcs_of_a_batch_are_those_of_its_sentences() -> None:
    sentences, heads, codes = pool()
    batch = sentences.batch(np.arange(9))
    assert isinstance(batch, PairBatch)
    arcs, rows = batch.arcs, batch.rows
    assert arcs is not None
    word = np.append(np.arange(sentences.n_words), -1)[rows]  # of each row of the batch
    found = zip(word[arcs.dependents], word[arcs.heads], arcs.relations.tolist(), strict=True)
    first, expected = 0, set()
    for own, names in zip(heads, codes, strict=True):
        arcs_of = zip(range(len(own)), own.tolist(), names.tolist(), strict=True)
        expected |= {(first + i, first + h - 1, r) for i, h, r in arcs_of if h and r >= 0}
        first += len(own)
    assert {(int(i), int(h), r) for i, h, r in found} == expected
    assert arcs.weight == pytest.approx(1 / len(expected))


def test_distances_and_directions_are_added_up() -> None:
    sentences, _, _ = pool()
    batch, rng = sentences.batch(np.arange(9)), np.random.default_rng(1)
    assert isinstance(batch, PairBatch)
    vectors = torch.tensor(rng.normal(size=(sentences.n_words + 1, 5)))
    vectors[-1] = 0
    rows = vectors[batch.rows]
    components = torch.tensor(rng.normal(size=(2, 4, 5)), requires_grad=True)  # of two layers
    both = torch.stack([rows, 2 * rows])
    arcs, gradient = batch.arcs, torch.empty(2, 4, 5, dtype=torch.float64)
    found = PolarLoss(0.7)(components.detach(), both, batch, gradient)
    alone = torch.empty_like(gradient)
    distances = DistanceLoss()(components.detach(), both, batch, alone)
    projected = both @ components.mT
    steps = projected[:, arcs.dependents] - projected[:, arcs.heads]
    each = [plain(one, arcs.relations.tolist()) for one in steps]
    angles = 0.7 * torch.stack(each) * arcs.weight
    np.testing.assert_allclose(found, distances + angles.detach())
    (expected,) = torch.autograd.grad(angles.sum(), components)
    np.testing.assert_allclose(gradient, alone + expected, rtol=1e-9, atol=1e-12)
    # Without a gradient, and by halves, where each has directions of its own.
    np.testing.assert_allclose(PolarLoss(0.7)(components.detach(), both, batch), found)
    for part in halve(batch):
        inside = torch.arange(len(part.diagonal))
        assert set(part.arcs.heads.tolist()) <= set(inside.tolist())
    counts = [len(part.arcs.relations) for part in halve(batch)]
    assert sum(counts) == len(arcs.relations)


def test_a_batch_without_arcs_has_the_distance_loss() -> None:
    sentences, _, _ = pool()
    (one,) = np.flatnonzero(sentences.lengths == 1)[:1]
    batch = sentences.batch(np.array([one]))
    rows = torch.ones(1, 3, dtype=torch.float64)
    components, gradient = torch.ones(2, 3).double(), torch.empty(2, 3).double()
    assert float(PolarLoss(1.0)(components, rows, batch, gradient)) == 0
    assert not gradient.any()
