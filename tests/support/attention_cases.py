"""Attention for tests: random batches of words, and batches cut into single sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from structprobe.recoverers.random_tree import random_heads


@dataclass
class Batch:
    """A padded batch as `WordAttentions` gives it, with gold and tags as random as the rest."""

    sentences: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    special: np.ndarray
    first: np.ndarray
    heads: np.ndarray
    relations: np.ndarray
    punct: np.ndarray

    def cut(self, *which: int) -> Batch:
        """Some of the sentences, without the padding that they do not need."""
        index = list(which)
        n = self.lengths[index].max()
        return Batch(
            self.sentences[index],
            self.lengths[index],
            self.weights[index, ..., :n, :n],
            self.special[index, ..., :n],
            self.first[index, ..., :n],
            self.heads[index, :n],
            self.relations[index, :n],
            self.punct[index, :n],
        )


def random_batch(lengths, n_layers=2, n_heads=3, n_relations=3, seed=0) -> Batch:
    """Rows that sum to 1 together with what falls on special tokens; some weights are equal."""
    rng = np.random.default_rng(seed)
    b, n = len(lengths), max(lengths)
    lengths = np.array(lengths)
    raw = rng.integers(0, 4, size=(b, n_layers, n_heads, n, n + 1)).astype(np.float32)
    raw[..., -1] += 0.5  # special tokens, so that no row is all zeros
    real = np.arange(n) < lengths[:, None]
    raw[..., :-1] *= real[:, None, None, None]
    raw /= raw.sum(axis=-1, keepdims=True)
    raw *= real[:, None, None, :, None]
    heads = np.full((b, n), -1)
    for row, length in zip(heads, lengths, strict=True):
        row[:length] = random_heads(int(length), rng)
    return Batch(
        np.arange(b),
        lengths,
        raw[..., :-1],
        raw[..., -1],
        raw[..., -1] / 2,
        heads,
        rng.integers(0, n_relations, size=(b, n)),
        (rng.random((b, n)) < 0.3) & real,
    )
