"""Batches hold the right words and gold values in the right places, copying no more than needed."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from structprobe.probe.batches import (
    PairBatch,
    Pool,
    WordBatch,
    fixed_batches,
    order_by_length,
    pack,
    random_batches,
)

LENGTHS = [2, 1, 3]


def make_pool(*, pairs: bool) -> Pool:
    """Three sentences whose vectors and gold values are numbered through."""
    gold = [np.arange(n * n if pairs else n) + 10 * (i + 1) for i, n in enumerate(LENGTHS)]
    vectors = torch.arange(6.0).unsqueeze(-1)
    return Pool(vectors, np.array(LENGTHS), pack(gold), pairs)


def test_a_pair_batch_by_hand() -> None:
    batch = make_pool(pairs=True).batch(np.array([2, 0]))
    assert isinstance(batch, PairBatch)
    assert batch.n_sentences == 2
    assert batch.vectors.flatten().tolist() == [3, 4, 5, 0, 1]
    assert batch.slots.tolist() == [0, 1, 2, 3, 4, 5]  # the last place is padding: row 5, past all
    assert batch.rows.tolist() == [0, 1, 2, 3, 4]
    assert batch.gold[0].tolist() == [[30, 31, 32], [33, 34, 35], [36, 37, 38]]
    assert batch.gold[1, :2, :2].tolist() == [[10, 11], [12, 13]]
    assert np.allclose(batch.weights, [[1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0]])


def test_padding_in_the_middle_of_a_batch() -> None:
    batch = make_pool(pairs=True).batch(np.array([1, 0]))
    assert isinstance(batch, PairBatch)
    assert batch.slots.tolist() == [0, 3, 1, 2]
    assert batch.rows.tolist() == [0, 2, 3]


def test_a_word_batch_by_hand() -> None:
    batch = make_pool(pairs=False).batch(np.array([2, 1]))
    assert isinstance(batch, WordBatch)
    assert batch.n_sentences == 2
    assert batch.vectors.flatten().tolist() == [3, 4, 5, 2]
    assert batch.gold.tolist() == [30, 31, 32, 20]
    assert np.allclose(batch.weights, [1 / 3, 1 / 3, 1 / 3, 1])


def test_fixed_batches_share_the_memory_of_the_pool() -> None:
    pool = make_pool(pairs=True)
    batches = fixed_batches(pool, 2)
    assert [batch.n_sentences for batch in batches] == [2, 1]
    last = batches[1].vectors
    last[0] = 77
    assert pool.vectors[3].item() == 77


@given(st.integers(1, 5), st.integers(0, 20))
def test_random_batches_give_every_sentence_once_and_differ_by_epoch(size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    pool = make_pool(pairs=False)
    for _ in range(2):
        batches = list(random_batches(pool, size, generator))
        assert sum(batch.n_sentences for batch in batches) == 3
        assert all(batch.n_sentences == size for batch in batches[:-1])
        words = torch.cat([batch.vectors.flatten() for batch in batches])
        assert sorted(words.tolist()) == [0, 1, 2, 3, 4, 5]


def test_order_by_length_keeps_or_draws_the_order_of_equals() -> None:
    lengths = np.array([3, 1, 3, 3, 2, 3])
    assert order_by_length(lengths).tolist() == [1, 4, 0, 2, 3, 5]
    orders = {tuple(order_by_length(lengths, np.random.default_rng(i)).tolist()) for i in range(9)}
    assert len(orders) > 1
    assert all(order[:2] == (1, 4) and sorted(order[2:]) == [0, 2, 3, 5] for order in orders)


def test_like_lengths_leave_little_padding() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 16, 12000)
    ordered = lengths[order_by_length(lengths)]
    words = np.arange(ordered.sum())
    gold = torch.zeros(int((ordered**2).sum()), dtype=torch.int16)
    pool = Pool(torch.from_numpy(words).unsqueeze(-1).float(), ordered, gold, True)
    batches = fixed_batches(pool, 32)
    places = sum(batch.weights.numel() for batch in batches)
    assert places / len(words) < 1.03
