"""How many bits gold trees, distances and depths take, given what a probe predicts for them.

- The code of a **tree** has the probabilities of `tree_likelihood`: an undirected tree has
  ``exp(-s * sum of its distances) / Z``, and its root is one of n words, each as likely.
- The code of the **distances** of a sentence, and that of its **depths**, give each value by itself
  a Laplace distribution on the integers that it may take (1 to n - 1, and 0 to n - 1), with the
  probabilities ``exp(-s * abs(value - predicted)) / Z``.

In all of them, the sharpness s says how far the predictions are trusted: with 0, all that may be is
as likely, which is the uniform code. One over the sharpness is the width of the Laplace
distribution. The n(n - 1)/2 distances of a sentence are decided by one tree, and coded as if they
were not; so the bits of trees, distances and depths cannot be compared with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.losses.tree_likelihood import SPAN, log_partition
from structprobe.trees.gold import gold_depths, gold_distances
from structprobe.trees.padding import group_by_length, pad

Matrices = Sequence[NDArray[np.floating]]
Heads = Sequence[NDArray[np.integer]]

# The factor between two sharpnesses that are tried first, and how many are tried.
STEP, N_STEPS = 4.0, 12


class Code(Protocol):
    """The gold values of some sentences, with what was predicted for them."""

    @property
    def sharpest(self) -> float:
        """The highest sharpness that is fitted."""

    def bits(self, sharpness: float) -> NDArray[np.float64]:
        """Give the bits of each sentence."""


def fit_sharpness(code: Code) -> float:
    """Find the sharpness of the fewest bits, that is, of the maximum likelihood."""
    from scipy.optimize import minimize_scalar  # here, since only codes need it

    def total(sharpness: float) -> float:
        return float(code.bits(sharpness).sum())

    # The bits are convex in the sharpness, but what a probe predicts that learned from a few
    # sentences may be off by orders of magnitude: so the order of magnitude is found first.
    tried = [code.sharpest * STEP**-k for k in range(N_STEPS)]
    near = min(tried, key=total)
    bounds = near / STEP, min(near * STEP, code.sharpest)
    options = {"xatol": near / 1000}
    found = minimize_scalar(total, bounds=bounds, method="bounded", options=options)
    return min((float(found.x), near, 0.0), key=total)


@dataclass(frozen=True, slots=True)
class TreeCode:
    """Undirected gold trees with their roots, and predicted distances."""

    n_sentences: int
    batches: Sequence[tuple[NDArray[np.intp], Tensor, Tensor, Tensor]]
    sharpest = 3.0  # of a loss that is itself a likelihood, the best is near 1 or below

    @classmethod
    def of(cls, predicted: Matrices, heads: Heads) -> Self:
        """Put sentences of similar length into padded batches."""
        # predicted (n, n) and heads (n,) each
        gold, lengths = gold_distances(heads), np.array([*map(len, heads)])
        batches = []
        for group in group_by_length(lengths):
            distances = torch.from_numpy(pad([predicted[i] for i in group], dtype=np.float64))
            edges = torch.from_numpy(pad([gold[i] for i in group]) == 1)  # (b, n, n)
            place = torch.arange(edges.shape[-1])
            words = place < torch.from_numpy(lengths[group])[:, None]  # (b, n)
            pairs = words[:, :, None] & words[:, None] & (place[:, None] != place)  # (b, n, n)
            batches.append((group, distances, edges, pairs))
        return cls(len(lengths), batches)

    def bits(self, sharpness: float) -> NDArray[np.float64]:
        """Give the bits of each tree: of its edges, and of its root."""
        # -> (n_sentences,)
        found = np.zeros(self.n_sentences)
        span = SPAN * math.log(torch.finfo(torch.float64).max)
        for group, distances, edges, pairs in self.batches:
            scaled = sharpness * distances
            # What lies further apart has the same weight in Z, so it has to have it in the sum.
            lowest = scaled.masked_fill(~pairs, math.inf).amin((-2, -1), keepdim=True)
            scaled = torch.minimum(scaled, lowest + span)
            log_z, _ = log_partition(scaled, pairs)  # (b,)
            nats = scaled.masked_fill(~edges, 0).sum((-2, -1)) / 2 + log_z
            n_words = (pairs[:, 0].sum(-1) + 1).double()  # (b,)
            found[group] = (nats / math.log(2) + n_words.log2()).numpy()
        return found


@dataclass(frozen=True, slots=True)
class LaplaceCode:
    """Gold integers, each in a range, and predicted values: distances or depths."""

    sentence: NDArray[np.intp]  # (m,): of each value
    predicted: NDArray[np.float64]  # (m,)
    gold: NDArray[np.float64]  # (m,)
    lowest: int
    highest: NDArray[np.float64]  # (m,)
    n_sentences: int
    sharpest = 10.0  # a prediction wrong by one costs 14 bits, however few were seen

    @classmethod
    def of_distances(cls, predicted: Matrices, heads: Heads) -> Self:
        """Take each pair of words once."""
        # predicted (n, n) and heads (n,) each
        gold = gold_distances(heads)
        pairs = [np.triu_indices(len(own), 1) for own in gold]
        near = [own[pair] for own, pair in zip(predicted, pairs, strict=True)]
        return cls._of(near, [own[pair] for own, pair in zip(gold, pairs, strict=True)], heads, 1)

    @classmethod
    def of_depths(cls, predicted: Matrices, heads: Heads) -> Self:
        """Take each word."""
        # predicted (n,) and heads (n,) each
        return cls._of(predicted, gold_depths(heads), heads, 0)

    @classmethod
    def _of(
        cls, predicted: Matrices, gold: Sequence[NDArray[np.integer]], heads: Heads, lowest: int
    ) -> Self:
        """Concatenate the values of all sentences; the highest is one less than the words."""
        counts = [*map(len, gold)]
        most = np.repeat([len(own) - 1.0 for own in heads], counts)
        values, known = (np.concatenate(some).astype(np.float64) for some in (predicted, gold))
        # A distribution around what lies outside of the range is that around the end of the range.
        near = np.clip(values, lowest, most)
        return cls(np.repeat(np.arange(len(heads)), counts), near, known, lowest, most, len(heads))

    def bits(self, sharpness: float) -> NDArray[np.float64]:
        """Give the bits of each sentence's values."""
        # -> (n_sentences,)
        below = np.floor(self.predicted)
        rest = self.predicted - below
        # Two geometric series: down from the predicted value, and up from it.
        total = np.exp(-sharpness * rest) * _series(sharpness, below - self.lowest + 1)
        total += np.exp(-sharpness * (1 - rest)) * _series(sharpness, self.highest - below)
        nats = sharpness * np.abs(self.gold - self.predicted) + np.log(total)
        bits: NDArray[np.float64] = np.bincount(
            self.sentence, nats / math.log(2), self.n_sentences
        ).astype(np.float64)
        return bits


def _series(rate: float, n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum ``exp(-rate * k)`` for k from 0 to n - 1."""
    # n (m,) -> (m,)
    return np.expm1(-rate * n) / np.expm1(-rate) if rate else n


# What is coded, by its name.
CODES: dict[str, Callable[[Matrices, Heads], Code]] = {
    "tree": TreeCode.of,
    "distances": LaplaceCode.of_distances,
    "depths": LaplaceCode.of_depths,
}


def uniform_bits(kind: str, n_words: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give the bits of each sentence where all trees, or all values, are as likely."""
    # n_words (n_sentences,) -> (n_sentences,)
    n = np.asarray(n_words, dtype=np.float64)
    if kind == "tree":  # n^(n - 2) undirected trees (Cayley), each with n roots
        return (n - 1) * np.log2(n)
    if kind == "distances":
        return n * (n - 1) / 2 * np.log2(np.maximum(n - 1, 1))
    return n * np.log2(n)
