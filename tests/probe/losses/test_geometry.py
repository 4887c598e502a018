"""The fast losses and gradients against the plain definitions, and numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.data.batches import Batch, Pool, rows_of
from structprobe.probe.losses.geometry import (
    DistanceLoss,
    depth_loss,
    squared_depths,
    squared_distances,
)

TREES = st.lists(st.integers(1, 7), min_size=1, max_size=6)


def make_batch(
    lengths: list[int], seed: int, *, pairs: bool, layers: tuple[int, ...] = ()
) -> tuple[Tensor, Batch]:
    """Rows of random vectors, 5 wide, and a batch of random whole gold values, in float64."""
    rng = np.random.default_rng(seed)
    shape = [(n, n) if pairs else (n,) for n in lengths]
    gold = [rng.integers(0, 6, size) for size in shape]
    vectors = torch.from_numpy(rng.normal(size=(*layers, sum(lengths), 5)))
    return batch_of(vectors, lengths, gold, pairs=pairs)


def batch_of(
    vectors: Tensor, lengths: list[int], gold: list[NDArray[Any]], *, pairs: bool
) -> tuple[Tensor, Batch]:
    """Put all sentences into one batch, and lay their vectors out for it."""
    values = torch.from_numpy(np.concatenate([np.ravel(one) for one in gold]))
    pool = Pool(np.array(lengths), values, pairs, vectors.dtype)
    batch = pool.batch(np.arange(len(lengths)))
    padded = torch.cat([vectors, vectors.new_zeros(*vectors.shape[:-2], 1, vectors.shape[-1])], -2)
    return rows_of(padded, batch.rows), batch


def plain_loss(
    B: Tensor, vectors: Tensor, lengths: list[int], gold: Tensor, *, pairs: bool
) -> Tensor:
    """The published definition, word by word: differences, squares, absolute errors."""
    total, first, cell = torch.zeros((), dtype=torch.float64), 0, 0
    for n in lengths:
        words = vectors[first : first + n]
        if pairs:
            for i in range(n):
                for j in range(n):
                    difference = B @ (words[i] - words[j])
                    total = total + (difference @ difference - gold[cell + i * n + j]).abs() / n**2
            cell += n * n
        else:
            for i in range(n):
                projected = B @ words[i]
                total = total + (projected @ projected - gold[first + i]).abs() / n
        first += n
    return total / len(lengths)


@settings(deadline=None, max_examples=40)
@given(lengths=TREES, rank=st.integers(1, 5), seed=st.integers(0, 99), pairs=st.booleans())
def test_loss_and_gradient_are_those_of_autograd_on_the_plain_definition(
    lengths: list[int], rank: int, seed: int, pairs: bool
) -> None:
    rng = np.random.default_rng(seed)
    gold = [rng.integers(0, 6, n * n if pairs else n) for n in lengths]
    if pairs:  # distances are symmetrical
        for values, n in zip(gold, lengths, strict=True):
            square = values.reshape(n, n)
            values[:] = np.minimum(square, square.T).ravel()
    vectors = torch.from_numpy(rng.normal(size=(sum(lengths), 5)))
    words = vectors.clone()
    if pairs:  # as `PairBatch` wants them
        words = torch.cat([part - part.mean(0) for part in vectors.split(lengths)])
    rows, batch = batch_of(words, lengths, gold, pairs=pairs)
    B = torch.from_numpy(rng.normal(size=(rank, 5))).requires_grad_()

    expected = plain_loss(
        B, vectors, lengths, torch.cat([*map(torch.from_numpy, gold)]), pairs=pairs
    )
    (expected_gradient,) = torch.autograd.grad(expected, B)
    gradient = torch.full_like(B, torch.nan)
    with torch.no_grad():
        loss = (DistanceLoss() if pairs else depth_loss)(B, rows, batch, gradient)

    assert loss.item() == pytest.approx(expected.item(), abs=1e-10)
    assert (gradient - expected_gradient).abs().max().item() < 1e-10


@pytest.mark.parametrize("pairs", [True, False])
def test_leading_layers_give_each_layer_its_own_loss_and_gradient(pairs: bool) -> None:
    loss = DistanceLoss() if pairs else depth_loss
    rows, batch = make_batch([3, 1, 4], seed=1, pairs=pairs, layers=(2,))
    B = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 3, 5)))
    gradient = torch.empty_like(B)
    together = loss(B, rows, batch, gradient)
    assert together.shape == (2,)
    for layer in range(2):
        expected = torch.empty_like(B[layer])
        alone = loss(B[layer], rows[layer], batch, expected)
        assert alone.item() == pytest.approx(together[layer].item())
        torch.testing.assert_close(gradient[layer], expected)


@pytest.mark.parametrize("pairs", [True, False])
def test_bfloat16_vectors_give_nearly_the_same_loss_and_gradient(pairs: bool) -> None:
    loss = DistanceLoss() if pairs else depth_loss
    rows, batch = make_batch([3, 1, 4], seed=1, pairs=pairs)
    B = torch.from_numpy(np.random.default_rng(2).normal(size=(3, 5)))
    exact, rounded = torch.empty_like(B), torch.empty_like(B)
    expected = loss(B, rows, batch, exact)
    found = loss(B, rows.bfloat16(), batch, rounded)
    assert found.dtype == B.dtype
    assert found.item() == pytest.approx(expected.item(), rel=0.02)
    assert (rounded - exact).norm() < 0.02 * exact.norm()


def test_distances_and_depths_of_three_words_by_hand() -> None:
    # Words at (0, 0), (3, 4) and (0, 1): squares of lengths 0, 25, 1; of differences 25, 1, 18.
    words = torch.tensor([[0.0, 0], [3, 4], [0, 1]])
    assert squared_depths(words).tolist() == [0, 25, 1]
    expected = torch.tensor([[0.0, 25, 1], [25, 0, 18], [1, 18, 0]])
    torch.testing.assert_close(squared_distances(words), expected)


def test_losses_by_hand() -> None:
    # One coordinate, words at -1 and 1: distance 4, gold 1: two pairs off by 3, over 2².
    words = torch.tensor([[-1.0], [1]])
    one = torch.ones(1, 1)
    pairs = batch_of(words, [2], [np.array([[0, 1], [1, 0]])], pairs=True)
    assert DistanceLoss()(one, *pairs).item() == 6 / 4
    # Depths 1 and 1, gold 0 and 1: off by 1 and 0, over 2.
    assert depth_loss(one, *batch_of(words, [2], [np.array([0, 1])], pairs=False)).item() == 1 / 2


def test_a_one_word_sentence_counts_as_a_sentence_without_a_distance() -> None:
    gold = [np.array([[0, 1], [1, 0]]), np.array([[0]])]
    batch = batch_of(torch.tensor([[-1.0], [1], [0]]), [2, 1], gold, pairs=True)
    assert DistanceLoss()(torch.ones(1, 1), *batch).item() == (6 / 4) / 2


def test_distances_keep_their_digits_far_from_the_origin() -> None:
    words = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    far = squared_distances(words + 1000)
    assert (far - squared_distances((words + 1000).double())).abs().max() < 1e-5


@given(seed=st.integers(0, 99), n=st.integers(1, 9))
def test_distances_are_symmetrical_and_zero_on_the_diagonal(seed: int, n: int) -> None:
    words = torch.randn(2, n, 3, generator=torch.Generator().manual_seed(seed))
    words[:, -1] = words[:, 0]  # two words in one place
    distances = squared_distances(words)
    assert torch.equal(distances, distances.mT)
    assert (distances.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert (distances >= 0).all()
