"""Correct and total items by relation, arc length or sentence length: tallies, and their sums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tally(NamedTuple):
    """The number of correct items, and of all items.

    Attributes
    ----------
    correct, total : int
        The two numbers; `total` is never 0.
    """

    correct: int
    total: int


class RelationScore(NamedTuple):
    """How one relation was predicted, counting words with the correct head and relation.

    Attributes
    ----------
    correct : int
        The words that have the relation in both trees, and the correct head.
    gold, predicted : int
        The words that have the relation in the gold trees, and in the predicted ones.
    """

    correct: int
    gold: int
    predicted: int

    @property
    def precision(self) -> float | None:
        """Share of the predicted words that are correct; None if there are none."""
        return self.correct / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the gold words that are correct; None if there are none."""
        return self.correct / self.gold if self.gold else None

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 if only one of them is defined."""
        return 2 * self.correct / (self.gold + self.predicted)


Confusion = Mapping[tuple[str, str], Tally]  # By gold and predicted relation


def tally(
    keys: NDArray[np.int64], right: NDArray[np.floating], total: NDArray[np.floating]
) -> dict[int, Tally]:
    """Sum the counts for each integer key."""
    # keys (n,), right (n,), total (n,)
    if not len(keys):
        return {}
    sums = np.stack([np.bincount(keys, right), np.bincount(keys, total)], axis=1).astype(np.int64)
    return {int(key): Tally(*map(int, sums[key])) for key in np.flatnonzero(sums[:, 1])}


def tally_deprels(
    relations: NDArray[np.str_], right: NDArray[np.bool_], counted: NDArray[np.bool_]
) -> dict[str, Tally]:
    """Count edges by the gold relation of their dependent; empty relations are not counted."""
    known = relations != ""
    names, which = np.unique(relations[known], return_inverse=True)
    sums = tally(which, right[known].astype(float), counted[known].astype(float))
    return {str(names[key]): found for key, found in sums.items()}


def confuse(
    gold: NDArray[np.str_], predicted: NDArray[np.str_], right_heads: NDArray[np.bool_]
) -> dict[tuple[str, str], Tally]:
    """Count words, and those with the correct head, by gold and predicted relation."""
    # gold, predicted, right_heads (n,)
    names, which = np.unique(np.concatenate([gold, predicted]), return_inverse=True)
    pairs = which[: len(gold)] * len(names) + which[len(gold) :]
    kinds, which = np.unique(pairs, return_inverse=True)  # of the pairs of relations that occur
    sums = tally(which, right_heads.astype(float), np.ones(len(which)))
    places = {key: divmod(int(kinds[key]), len(names)) for key in sums}
    return {(str(names[a]), str(names[b])): sums[key] for key, (a, b) in places.items()}


def relation_scores(confusion: Confusion) -> dict[str, RelationScore]:
    """Sum a table of confusions up for each relation, those with the most gold words first."""
    sums: dict[str, list[int]] = {}
    for pair, (right, total) in confusion.items():
        of_gold, of_predicted = (sums.setdefault(name, [0, 0, 0]) for name in pair)
        of_gold[0] += right * (pair[0] == pair[1])
        of_gold[1] += total
        of_predicted[2] += total
    in_order = sorted(sums.items(), key=lambda one: (-one[1][1], -one[1][2], one[0]))
    return {name: RelationScore(*counts) for name, counts in in_order}


def add_tallies(one: Mapping[Any, Tally], other: Mapping[Any, Tally]) -> dict[Any, Tally]:
    """Add up two tables of tallies."""
    pairs = {key: (one.get(key, (0, 0)), other.get(key, (0, 0))) for key in {*one, *other}}
    return {key: Tally(a[0] + b[0], a[1] + b[1]) for key, (a, b) in sorted(pairs.items())}


def range_names(firsts: Sequence[int]) -> list[str]:
    """Name the ranges of integers that begin at `firsts`, the last one open: 1, 2–4, 5+."""
    names = [f"{first}" if behind == first + 1 else f"{first}–{behind - 1}"
             for first, behind in pairwise(firsts)]  # fmt: skip
    return [*names, f"{firsts[-1]}+"]


def by_range(tallies: Mapping[int, Tally], firsts: Sequence[int]) -> dict[str, Tally]:
    """Add tallies up by the ranges that begin at `firsts`, the last one open; omit empty ones."""
    found = {}
    ends = [*firsts[1:], math.inf]
    for name, first, behind in zip(range_names(firsts), firsts, ends, strict=True):
        inside = [tally for key, tally in tallies.items() if first <= key < behind]
        if inside:
            total = Tally(sum(one.correct for one in inside), sum(one.total for one in inside))
            found[name] = total
    return found
