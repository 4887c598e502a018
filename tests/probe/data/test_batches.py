"""Batches hold the right words and gold values in the right places, copying no more than needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from structprobe.probe.data.batches import (
    Block,
    FixedBatches,
    PairBatch,
    Pool,
    WordBatch,
    mixed_batches,
    order_by_length,
    random_batches,
    rows_of,
    word_order,
)

LENGTHS = [2, 1, 3]


def make_pool(*, pairs: bool) -> Pool:
    """Three sentences whose gold values are numbered through."""
    gold = [np.arange(n * n if pairs else n) + 10 * (i + 1) for i, n in enumerate(LENGTHS)]
    return Pool(np.array(LENGTHS), torch.from_numpy(np.concatenate(gold)), pairs)


def test_a_pair_batch_by_hand() -> None:
    batch = make_pool(pairs=True).batch(np.array([2, 0]))
    assert isinstance(batch, PairBatch)
    assert batch.n_sentences == 2
    assert isinstance(batch.rows, torch.Tensor)
    # The shorter sentence first, padded by word 6.
    assert batch.rows.tolist() == [0, 1, 6, 3, 4, 5]
    assert batch.blocks == [Block(2, 3, slice(0, 6), slice(0, 18))]  # lengths 2 and 3 are alike
    short, long = batch.gold.view(2, 3, 3).tolist()
    assert short == [[10, 11, 0], [12, 13, 0], [0, 0, 0]]
    assert long == [[30, 31, 32], [33, 34, 35], [36, 37, 38]]
    short, long = (2 * batch.weights.view(2, 3, 3)).numpy()
    assert np.allclose(short, [[1 / 4, 1 / 4, 0], [1 / 4, 1 / 4, 0], [0, 0, 0]])
    assert np.allclose(long, 1 / 9)
    assert batch.diagonal.tolist() == [0, 4, 8, 9, 13, 17]


def test_sentences_of_other_lengths_are_another_block_and_equal_ones_have_no_padding() -> None:
    lengths = np.array([2, 5, 2])
    gold = torch.from_numpy(np.repeat(lengths, lengths**2))
    batch = Pool(lengths, gold, True).batch(np.arange(3))
    assert isinstance(batch, PairBatch)
    assert isinstance(batch.rows, torch.Tensor)
    assert batch.rows.tolist() == [0, 1, 7, 8, 2, 3, 4, 5, 6]
    assert batch.blocks == [
        Block(2, 2, slice(0, 4), slice(0, 8)),
        Block(1, 5, slice(4, 9), slice(8, 33)),
    ]
    assert batch.gold.tolist() == [2] * 8 + [5] * 25


def test_a_word_batch_by_hand() -> None:
    batch = make_pool(pairs=False).batch(np.array([2, 1]))
    assert isinstance(batch, WordBatch)
    assert batch.n_sentences == 2
    assert isinstance(batch.rows, torch.Tensor)
    assert batch.rows.tolist() == [2, 3, 4, 5]
    assert batch.gold.tolist() == [20, 30, 31, 32]
    assert np.allclose(batch.weights, [1 / 2, 1 / 6, 1 / 6, 1 / 6])


@pytest.mark.parametrize("kept", [True, False])
def test_fixed_batches_lie_one_behind_the_other(kept: bool) -> None:
    lengths = np.array([1, 2, 3, 4])
    pool = Pool(lengths, torch.arange(30), True)
    batches = FixedBatches(pool, [np.array([2, 1]), np.array([0])], kept=kept)
    assert [batch.rows for batch in batches] == [slice(0, 6), slice(6, 7)]
    assert batches.layout.first_rows.tolist() == [6, 0, 3, -1]  # the second is padded by a row
    assert (batches.layout.n_rows, batches.layout.most_rows) == (7, 6)
    assert batches[1].gold.tolist() == [0]
    assert batches[0].gold.tolist() == [1, 2, 0, 3, 4, 0, 0, 0, 0, *range(5, 14)]
    assert (batches[0] is batches[0]) is kept
    orders = {
        tuple(b.rows.start for b in batches.shuffled(np.random.default_rng(i))) for i in range(9)
    }
    assert orders == {(0, 6), (6, 0)}


def test_gold_values_may_lie_anywhere() -> None:
    gold, starts = torch.arange(20), np.array([10, 3])
    for pairs, expected in ((True, [10, 0, 0, 0, 3, 4, 5, 6]), (False, [10, 3, 4])):
        pool = Pool(np.array([1, 2]), gold, pairs, first_gold=starts)
        assert pool.batch(np.arange(2)).gold.tolist() == expected


def test_rows_of_a_slice_are_a_view_and_others_a_copy() -> None:
    vectors = torch.arange(8.0).view(2, 4, 1)
    view, copy = rows_of(vectors, slice(1, 3)), rows_of(vectors, torch.tensor([3, 3]))
    vectors += 10
    assert view.flatten().tolist() == [11, 12, 15, 16]
    assert copy.flatten().tolist() == [3, 3, 7, 7]


@given(st.integers(1, 5), st.integers(0, 20))
def test_random_batches_give_every_sentence_once_and_differ_by_epoch(size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    pool = make_pool(pairs=False)
    for _ in range(2):
        batches = list(random_batches(pool, size, generator))
        assert sum(batch.n_sentences for batch in batches) == 3
        assert all(batch.n_sentences == size for batch in batches[:-1])
        words = torch.cat([batch.rows for batch in batches])
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
    parts = mixed_batches(lengths, 32, np.random.default_rng(1))
    batches = FixedBatches(Pool(lengths, gold, True), parts, kept=False)
    assert batches.layout.n_rows / lengths.sum() < 1.03


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 12), st.booleans())
def test_random_batches_take_no_more_rows_than_foreseen(
    lengths: list[int], size: int, pairs: bool
) -> None:
    array = np.array(lengths)
    pool = Pool(array, torch.zeros(int((array**2).sum())), pairs)
    layout = word_order(pool, size)
    assert layout.first_rows.tolist() == [sum(lengths[:i]) for i in range(len(lengths))]
    assert layout.n_rows == sum(lengths) + 1
    for seed in range(5):
        for batch in random_batches(pool, size, np.random.default_rng(seed)):
            assert len(batch.rows) <= layout.most_rows
    assert layout.most_rows <= sum(sorted(lengths)[-size:]) * 1.25 + size
