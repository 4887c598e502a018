"""Seeded draws that give the same result on every platform and version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Draws from one seeded stream.

    Only ``random.Random.random`` is used: Python promises that its numbers never change, and
    does not promise it of ``choice`` or ``shuffle``.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """Say yes with the given probability."""
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items, each as likely as another."""
        return items[int(self._random() * len(items))]

    def weighted(self, weights: dict[T, float]) -> T:
        """Draw a key, each as likely as its weight says."""
        left = self._random() * sum(weights.values())
        for key, weight in weights.items():
            left -= weight
            if left < 0:
                return key
        return next(reversed(weights.keys()))  # a rounding error at the very end
