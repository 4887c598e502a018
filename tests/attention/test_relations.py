"""Heads by relation: hand-built attention, a slow count, fixed offsets, bad input."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.attention_cases import random_batch

from structprobe.attention.relations import DIRECTIONS, OffsetTally, RelationTally
from structprobe.errors import ScoreError

NAMES = ["det", "nsubj", "obj"]


def slow_counts(batch, n_layers, n_heads):
    """Right and all arcs by direction, relation, layer and head, arc by arc."""
    right, total = Counter(), Counter()
    for s, length in enumerate(batch.lengths):
        for word in range(length):
            head = batch.heads[s, word] - 1
            if head < 0:
                continue
            relation = batch.relations[s, word]
            total[relation] += 1
            for layer in range(n_layers):
                for number in range(n_heads):
                    matrix = batch.weights[s, layer, number, :length, :length]
                    others = [other for other in range(length) if other != word]
                    for direction in range(2):
                        looks = [
                            matrix[word, other] if direction == 0 else matrix[other, word]
                            for other in others
                        ]
                        best = max(looks)
                        found = others[looks.index(best)]
                        if found == head and best > 0:
                            right[direction, relation, layer, number] += 1
    return right, total


@pytest.mark.parametrize("seed", range(4))
def test_slow_counts(seed):
    batch = random_batch([7, 1, 4, 7, 2], seed=seed)
    tally = RelationTally(NAMES, 2, 3)
    tally.add(batch.weights, batch.heads, batch.relations)
    right, total = slow_counts(batch, 2, 3)
    assert tally.names == ("all", *NAMES)
    assert tally.total.tolist() == [total.total(), *(total[number] for number in range(3))]
    for direction, number, layer, head in np.ndindex(2, 3, 2, 3):
        found = tally.correct[direction, number + 1, layer, head]
        assert found == right[direction, number, layer, head]
    assert (tally.correct[:, 0] == tally.correct[:, 1:].sum(axis=1)).all()
    assert 0 < tally.correct.sum() < tally.total.sum() * 2 * 6


def test_batches_add_up():
    batch = random_batch([5, 3, 8, 1])
    whole, parts = RelationTally(NAMES, 2, 3), RelationTally(NAMES, 2, 3)
    whole.add(batch.weights, batch.heads, batch.relations)
    for which in ([2], [0, 1], [3]):
        part = batch.cut(*which)
        parts.add(part.weights, part.heads, part.relations)
    assert (whole.correct == parts.correct).all()
    assert (whole.total == parts.total).all()


def test_a_head_that_copies_the_gold_head_is_always_right():
    batch = random_batch([6, 9, 2])
    s, word = np.nonzero(batch.heads > 0)
    head = batch.heads[s, word] - 1
    batch.weights[:, 1, 2] = 0
    batch.weights[s, 1, 2, word, head] = 1
    batch.weights[:, 0, 0] = 0
    batch.weights[s, 0, 0, head, word] = 1
    tally = RelationTally(NAMES, 2, 3)
    tally.add(batch.weights, batch.heads, batch.relations)
    assert (tally.correct[0, :, 1, 2] == tally.total).all()
    assert (tally.correct[1, :, 0, 0] == tally.total).all()


def test_a_worked_example():
    """The dog ran: det(dog, The), nsubj(ran, dog); one head that looks as written below."""
    looks = [
        [0.9, 0.1, 0.0],  # The: mostly itself, which does not count, then dog
        [0.3, 0.0, 0.3],  # dog: The and ran alike: the first of them
        [0.0, 0.2, 0.0],  # ran: dog
    ]
    tally = RelationTally(["det", "nsubj", "root"], 1, 1)
    tally.add(np.array(looks)[None, None, None], np.array([[2, 3, 0]]), np.array([[0, 1, 2]]))
    assert DIRECTIONS == ("dependent to head", "head to dependent")
    assert tally.total.tolist() == [2, 1, 1, 0]
    # The -> dog is right, dog -> The is wrong.
    assert tally.correct[0, :, 0, 0].tolist() == [1, 1, 0, 0]
    # To The looks dog, right; to dog look The (0.1) and ran (0.2), right.
    assert tally.correct[1, :, 0, 0].tolist() == [2, 1, 1, 0]
    assert np.isnan(tally.accuracy[:, 3]).all()
    assert tally.accuracy[:, 0, 0, 0].tolist() == [0.5, 1.0]


def test_where_a_word_attends_to_no_other_nothing_is_read_off():
    """The first word of a causal model: its head is the second, the first of equal zeros."""
    looks = np.array([[1.0, 0.0], [0.5, 0.5]])[None, None, None]
    tally = RelationTally(["det"], 1, 1)
    tally.add(looks, np.array([[2, 0]]), np.array([[0, 0]]))
    assert tally.correct[:, 0, 0, 0].tolist() == [0, 1]


def test_offsets():
    train = OffsetTally(["det", "nsubj", "root", "rare"])
    # Offsets: det +1 +1 +2, nsubj +1 -1 (alike: the word before), root none.
    train.add(np.array([[2, 3, 0], [3, 3, 0], [2, 0, -1]]),
              np.array([[0, 1, 2], [0, 0, 2], [0, 2, 9]]))  # fmt: skip
    train.add(np.array([[0, 1]]), np.array([[2, 1]]))
    assert train.total.tolist() == [6, 4, 2, 0, 0]
    assert train.best().tolist() == [1, 1, -1, 0, 0]
    test = OffsetTally(["det", "nsubj", "root", "rare"])
    test.add(np.array([[2, 0, 2, 2, 4]]), np.array([[0, 2, 1, 1, 3]]))
    accuracy = test.accuracy(train.best())
    # Offsets +1, -1, -2, -1: all by +1, 1 of 4; det by +1; nsubj by -1, 1 of 2; rare by none.
    assert accuracy[[0, 1, 2, 4]].tolist() == [0.25, 1.0, 0.5, 0.0]
    assert np.isnan(accuracy[3])


def test_offsets_of_nothing():
    tally = OffsetTally(["det"])
    tally.add(np.array([[0]]), np.array([[0]]))
    assert tally.best().tolist() == [0, 0]
    assert np.isnan(tally.accuracy(tally.best())).all()


def test_bad_input():
    batch = random_batch([3, 2])
    tally = RelationTally(NAMES, 2, 3)
    with pytest.raises(
        ScoreError, match=r"attention has shape \(2, 2, 3, 3\); it must be \(b, n_layers"
    ):
        tally.add(batch.weights[..., 0], batch.heads, batch.relations)
    with pytest.raises(ScoreError, match=r"heads has shape \(2, 2\), but attention has shape"):
        tally.add(batch.weights, batch.heads[:, :2], batch.relations)
    with pytest.raises(ScoreError, match=r"relations has shape \(1, 3\)"):
        tally.add(batch.weights, batch.heads, batch.relations[:1])
    with pytest.raises(ScoreError, match=r"heads has shape \(3,\), but relations has shape \(3,\)"):
        OffsetTally(NAMES).add(batch.heads[0], batch.relations[0])
