"""Batches: word vectors of whole sentences, one below the other, with their gold values.

The vectors of a batch are never padded: the two large products of a training step run over
words. Only the projected words are laid out sentence by sentence, `slots` and `rows` saying how,
and the fixed batches hold sentences of like length, so that little of that layout is padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.words import ragged


@dataclass(frozen=True, slots=True)
class PairBatch:
    """The words and gold distances of b sentences, m words in all, the longest of n words.

    Attributes
    ----------
    vectors : Tensor, shape (..., m, hidden_size)
        Word vectors, sentence after sentence, each sentence centred.
    gold : Tensor, shape (b, n, n)
        Gold distances; what stands in the padding does not matter.
    weights : Tensor, shape (b, n)
        One over the sentence's length for each word, 0 in the padding.
    slots : Tensor of int, shape (b * n,)
        The word at each place of the padded layout; m, one past the last, in the padding.
    rows : Tensor of int, shape (m,)
        The place in the padded layout of each word.
    """

    vectors: Tensor
    gold: Tensor
    weights: Tensor
    slots: Tensor
    rows: Tensor

    @property
    def n_sentences(self) -> int:
        """How many sentences the batch holds."""
        return self.gold.shape[0]


@dataclass(frozen=True, slots=True)
class WordBatch:
    """The words and gold depths of several sentences, m words in all.

    Attributes
    ----------
    vectors : Tensor, shape (..., m, hidden_size)
        Word vectors, sentence after sentence.
    gold : Tensor, shape (m,)
        Gold depths.
    weights : Tensor, shape (m,)
        One over the length of each word's sentence.
    n_sentences : int
        How many sentences the batch holds.
    """

    vectors: Tensor
    gold: Tensor
    weights: Tensor
    n_sentences: int


Batch = PairBatch | WordBatch


@dataclass(frozen=True, slots=True)
class Pool:
    """All sentences of a training or dev set, from which batches are taken.

    Attributes
    ----------
    vectors : Tensor, shape (..., n_words_total, hidden_size)
        Word vectors, sentence after sentence.
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.
    gold : Tensor, shape (sum of n² or of n,)
        The gold distances (row by row) or depths of each sentence, one behind the other.
    pairs : bool
        Whether `gold` holds distances rather than depths.
    """

    vectors: Tensor
    lengths: NDArray[np.int64]
    gold: Tensor
    pairs: bool

    def batch(self, sentences: NDArray[np.int64]) -> Batch:
        """Put sentences into one batch.

        Parameters
        ----------
        sentences : ndarray of int, shape (b,)
            Which sentences, counted from 0. Neighbours in ascending order share the pool's
            memory; all others are copied.

        Returns
        -------
        PairBatch or WordBatch
            By whether the pool holds distances or depths.
        """
        lengths = self.lengths[sentences]  # (b,)
        first_words = (np.cumsum(self.lengths) - self.lengths)[sentences]
        word, inside = ragged(lengths)  # sentence of each word, and its place there
        words = first_words[word] + inside
        vectors = _take(self.vectors, words, dim=-2)
        device, dtype = vectors.device, vectors.dtype
        per_word = torch.from_numpy(1 / lengths[word]).to(dtype).to(device)  # (m,)
        if not self.pairs:
            gold = _take(self.gold, words, dim=0).to(dtype)
            return WordBatch(vectors, gold, per_word, len(sentences))
        b, n, m = len(sentences), int(lengths.max()), len(words)
        rows = word * n + inside  # (m,)
        slots = np.full(b * n, m)
        slots[rows] = np.arange(m)
        first_pairs = (np.cumsum(self.lengths**2) - self.lengths**2)[sentences]
        place = np.arange(n)
        index = first_pairs[:, None, None] + place[:, None] * lengths[:, None, None] + place
        outside = (place >= lengths[:, None])[:, :, None] | (place >= lengths[:, None])[:, None, :]
        index[outside] = 0
        gold = self.gold[torch.from_numpy(index).to(device)].to(dtype)
        places = torch.from_numpy(rows).to(device)
        weights = torch.zeros(b * n, device=device, dtype=dtype)
        weights[places] = per_word
        padded = torch.from_numpy(slots).to(device)
        return PairBatch(vectors, gold, weights.view(b, n), padded, places)


def fixed_batches(pool: Pool, batch_size: int) -> list[Batch]:
    """Cut a pool into batches of neighbouring sentences, once, sharing the pool's memory.

    Parameters
    ----------
    pool : Pool
        Sentences in the order of `order_by_length`, so that there is little padding.
    batch_size : int
        Sentences in a batch; the last one may have fewer.

    Returns
    -------
    list of PairBatch or WordBatch
        The batches in order.
    """
    n = len(pool.lengths)
    starts = range(0, n, batch_size)
    return [pool.batch(np.arange(start, min(start + batch_size, n))) for start in starts]


def random_batches(pool: Pool, batch_size: int, generator: np.random.Generator) -> Iterator[Batch]:
    """Draw all sentences of a pool once, in batches of random sentences.

    Parameters
    ----------
    pool : Pool
        Sentences in any order.
    batch_size : int
        Sentences in a batch; the last one may have fewer.
    generator : numpy.random.Generator
        Draws the order.

    Yields
    ------
    PairBatch or WordBatch
        One batch after another.
    """
    order = generator.permutation(len(pool.lengths))
    for start in range(0, len(order), batch_size):
        yield pool.batch(order[start : start + batch_size])


def order_by_length(
    lengths: NDArray[np.int64], generator: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Order sentences by length, so that neighbours share a length.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.
    generator : numpy.random.Generator, optional
        Draws the order among sentences of one length; without it they stay as they come.

    Returns
    -------
    ndarray of int, shape (n_sentences,)
        The sentences, shortest first.
    """
    start = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    return start[np.argsort(lengths[start], kind="stable")]


def pack(gold: Sequence[NDArray[np.integer]]) -> Tensor:
    """Lay gold distances or depths one behind the other.

    Parameters
    ----------
    gold : sequence of ndarray of int, each (n, n) or (n,)
        Gold distances or depths, one array a sentence.

    Returns
    -------
    Tensor of int16, shape (sum of n² or of n,)
        What `Pool.gold` wants.
    """
    return torch.from_numpy(np.concatenate([np.ravel(values) for values in gold]).astype(np.int16))


def _take(values: Tensor, rows: NDArray[np.int64], dim: int) -> Tensor:
    """Take rows along a dimension: a view where they follow one another, else a copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return values.narrow(dim, int(rows[0]), len(rows))
    return values.index_select(dim, torch.from_numpy(rows).to(values.device))
