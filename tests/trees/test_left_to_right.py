"""Trees assembled from left to right, against all combinations of decisions about each word."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.errors import TreeError
from structprobe.tree_faults import tree_fault
from structprobe.trees.left_to_right import attach_left_to_right, close_open


def random_logs(lengths: list[int], seed: int, scale: float = 3.0) -> np.ndarray:
    """Log-probabilities of heads of padded sentences; whatever stands in the padding."""
    n = max(lengths)
    logs = np.random.default_rng(seed).normal(size=(len(lengths), n, n + 1)) * scale
    for own, length in zip(logs, lengths, strict=True):
        scores = own[:length, : length + 1]
        scores[np.arange(length), np.arange(1, length + 1)] = -np.inf
        scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return logs


def slow(logs: np.ndarray) -> list[int]:
    """The heads of one sentence: the best combination for each word, of all that there are."""
    n, heads = len(logs), [0] * len(logs)
    shares = np.exp(logs)

    def top(word: int) -> int:
        return word if heads[word] == 0 else top(heads[word] - 1)

    for j in range(1, n):
        is_open = [i for i in range(j) if heads[i] == 0]
        subsets = chain.from_iterable(combinations(is_open, k) for k in range(len(is_open) + 1))
        found = []
        for below in map(set, subsets):
            for head in [None, *range(j)]:
                if head is not None and top(head) in below:
                    continue  # a circle
                none_yet = shares[j, 0] + shares[j, j + 2 :].sum()
                total = np.log(none_yet if head is None else shares[j, head + 1])
                for i in is_open:
                    later = shares[i, 0] + shares[i, j + 2 :].sum()
                    chosen = shares[i, j + 1] if i in below else later
                    total += np.log(chosen / (later + shares[i, j + 1]))
                found.append((total, head, below))
        _, head, below = max(found, key=lambda one: one[0])
        heads[j] = 0 if head is None else head + 1
        for i in below:
            heads[i] = j + 1
    return heads


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 999))
def test_each_word_is_attached_in_the_best_way(lengths: list[int], seed: int) -> None:
    logs = random_logs(lengths, seed)
    found = attach_left_to_right(logs, lengths)
    trees = close_open(found, logs[:, :, 0])
    for own, heads, tree, n in zip(logs, found, trees, lengths, strict=True):
        assert heads[:n].tolist() == slow(own[:n, : n + 1])
        assert (heads[n:] == tree[n:]).all()
        assert (heads[n:] == -1).all()
        assert tree_fault(tree[:n].tolist()) is None
        is_open = heads[:n] == 0
        assert (tree[:n][~is_open] == heads[:n][~is_open]).all()
        root = np.flatnonzero(is_open)[own[:n, 0][is_open].argmax()]
        assert (tree[:n][is_open] == np.where(np.flatnonzero(is_open) == root, 0, root + 1)).all()


@given(st.integers(2, 9), st.integers(0, 99))
def test_later_words_change_nothing_among_earlier_ones(n: int, seed: int) -> None:
    """Whatever the shares of the words to come, as long as they have the same share together."""
    (one,), (other,) = random_logs([n], seed), random_logs([n], seed + 1)
    k = n // 2 + 1
    for i in range(k):
        columns = [0, *range(k + 1, n + 1)]
        left = np.exp(one[i, columns]).sum()
        shares = np.exp(other[i, columns])
        one_changed = np.log(shares / shares.sum() * left)
        other[i] = one[i]
        other[i, columns] = one_changed
    heads = [attach_left_to_right(own[None], [n])[0, :k] for own in (one, other)]
    early = [np.where(own <= k, own, 0).tolist() for own in heads]
    assert early[0] == early[1]


def test_a_circle_is_resolved_by_the_larger_loss() -> None:
    """Word 2 takes word 1 for its head (0.9), and word 1 is to be attached to word 2."""
    for attach, expected in ((0.8, [0, 1]), (0.95, [2, 0])):
        shares = np.array([[[1 - attach, 0, attach], [0.1, 0.9, 0]]])
        with np.errstate(divide="ignore"):
            assert attach_left_to_right(np.log(shares), [2])[0].tolist() == expected


def test_a_score_that_is_not_a_number_is_refused() -> None:
    logs = random_logs([2, 3], 0)
    logs[0, 2] = np.nan  # padding
    assert attach_left_to_right(logs, [2, 3])[0, 2] == -1
    logs[1, 0, 3] = np.nan
    with pytest.raises(TreeError, match=r"score of head 3 for word 1 .* is nan"):
        attach_left_to_right(logs, [2, 3])


def test_words_that_cannot_be_the_root_still_make_a_tree() -> None:
    heads = np.array([[0, 0, 2]])
    assert close_open(heads, [[-np.inf, -np.inf, 5.0]]).tolist() == [[0, 1, 2]]
