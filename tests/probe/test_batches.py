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
    mixed_batches,
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
    assert batch.vectors.flatten().tolist() == [0, 1, 3, 4, 5]  # the shorter sentence first
    (block,) = batch.blocks  # lengths 2 and 3 are alike
    assert (block.first, block.last) == (0, 5)
    assert block.gold[0, :2, :2].tolist() == [[10, 11], [12, 13]]
    assert block.gold[1].tolist() == [[30, 31, 32], [33, 34, 35], [36, 37, 38]]
    assert np.allclose(block.weights, [[1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]])
    assert block.slots.tolist() == [0, 1, 0, 2, 3, 4]  # the third place is padding
    assert block.rows.tolist() == [0, 1, 3, 4, 5]


def test_sentences_of_other_lengths_are_another_block_and_equal_ones_have_no_padding() -> None:
    lengths = np.array([2, 5, 2])
    gold = pack([np.full((n, n), n) for n in lengths])
    pool = Pool(torch.arange(9.0).unsqueeze(-1), lengths, gold, True)
    batch = pool.batch(np.arange(3))
    assert isinstance(batch, PairBatch)
    assert batch.vectors.flatten().tolist() == [0, 1, 7, 8, 2, 3, 4, 5, 6]
    assert [(block.first, block.last) for block in batch.blocks] == [(0, 4), (4, 9)]
    assert [tuple(block.gold.shape) for block in batch.blocks] == [(2, 2, 2), (1, 5, 5)]
    assert all(block.slots is None and block.rows is None for block in batch.blocks)


def test_a_word_batch_by_hand() -> None:
    batch = make_pool(pairs=False).batch(np.array([2, 1]))
    assert isinstance(batch, WordBatch)
    assert batch.n_sentences == 2
    assert batch.vectors.flatten().tolist() == [2, 3, 4, 5]
    assert batch.gold.tolist() == [20, 30, 31, 32]
    assert np.allclose(batch.weights, [1, 1 / 3, 1 / 3, 1 / 3])


def test_fixed_batches_share_the_memory_of_the_pool() -> None:
    lengths = np.array([1, 2, 3])
    pool = Pool(torch.arange(6.0).unsqueeze(-1), lengths, torch.zeros(14), True)
    batches = fixed_batches(pool, [2, 1])
    assert [batch.n_sentences for batch in batches] == [2, 1]
    batches[1].vectors[0] = 77
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


def test_order_by_length_keeps_the_order_of_equals() -> None:
    assert order_by_length(np.array([3, 1, 3, 3, 2, 3])).tolist() == [1, 4, 0, 2, 3, 5]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=50), st.integers(1, 12), st.integers(0, 9))
def test_mixed_batches_hold_every_sentence_once(lengths: list[int], size: int, seed: int) -> None:
    array = np.array(lengths)
    parts = mixed_batches(array, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert len(parts) == -(-len(lengths) // size)
    assert all(len(part) > 0 and (np.diff(array[part]) >= 0).all() for part in parts)


def test_mixed_batches_take_from_every_band_of_lengths() -> None:
    lengths = np.repeat([1, 2, 3, 4], 8)
    parts = mixed_batches(lengths, 8, np.random.default_rng(0))
    assert [lengths[part].tolist() for part in parts] == [[1, 1, 2, 2, 3, 3, 4, 4]] * 4


def test_mixed_batches_leave_little_padding() -> None:
    lengths = np.random.default_rng(0).geometric(1 / 16, 12000)
    gold = torch.zeros(int((lengths**2).sum()), dtype=torch.int16)
    pool = Pool(torch.zeros(lengths.sum(), 1), lengths, gold, True)
    parts = mixed_batches(lengths, 32, np.random.default_rng(1))
    blocks = [block for part in parts for block in pool.batch(part).blocks]
    places = sum(block.weights.numel() for block in blocks)
    assert places / lengths.sum() < 1.03
