"""Correct and total edges by relation, arc length or sentence length: tallies, and their sums."""

from __future__ import annotations

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


def add_tallies(one: Mapping[Any, Tally], other: Mapping[Any, Tally]) -> dict[Any, Tally]:
    """Add up two tables of tallies."""
    pairs = {key: (one.get(key, (0, 0)), other.get(key, (0, 0))) for key in {*one, *other}}
    return {key: Tally(a[0] + b[0], a[1] + b[1]) for key, (a, b) in sorted(pairs.items())}


def range_names(firsts: Sequence[int]) -> list[str]:
    """Name the ranges of integers that begin at `firsts`, the last one open: 1, 2–4, 5+."""
    names = [f"{first}" if behind == first + 1 else f"{first}–{behind - 1}"
             for first, behind in pairwise(firsts)]  # fmt: skip
    return [*names, f"{firsts[-1]}+"]
