"""Batches: word vectors of whole sentences, one below the other, with their gold values.

The vectors of a batch are never padded: the two large products of a training step run over
words. Only the projected words are laid out sentence by sentence, and that in blocks of like
length, so that little of the layout is padding, and mostly none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.words import ragged
from structprobe.trees import group_by_length

# Sentences of one block differ in length by at most this share: fewer blocks against less padding.
# Fixed batches hold neighbours in length and have few blocks anyway; random ones would have many.
FIXED_SLACK = 0.25
RANDOM_SLACK = 1.0
# Every fixed batch holds sentences from so many bands of length.
BANDS = 4


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences of like length within a batch: b of them, of n words or few less.

    Attributes
    ----------
    first, last : int
        Their words are the rows from `first` to before `last` of the batch; m of them.
    gold : Tensor, shape (b, n, n)
        Gold distances; what stands in the padding does not matter.
    weights : Tensor, shape (b, n)
        One over the sentence's length for each word, 0 in the padding.
    slots : Tensor of int, shape (b * n,), or None
        The word, counted from `first`, at each place of the padded layout, any word in
        the padding. None where nothing is padded.
    rows : Tensor of int, shape (m,), or None
        The place in the padded layout of each word. None where nothing is padded.
    """

    first: int
    last: int
    gold: Tensor
    weights: Tensor
    slots: Tensor | None
    rows: Tensor | None


@dataclass(frozen=True, slots=True)
class PairBatch:
    """The words and gold distances of several sentences, m words in all.

    Attributes
    ----------
    vectors : Tensor, shape (..., m, hidden_size)
        Word vectors, sentence after sentence, each sentence centred.
    blocks : sequence of Block
        The sentences by length, with their gold distances.
    n_sentences : int
        How many sentences the batch holds.
    """

    vectors: Tensor
    blocks: Sequence[Block]
    n_sentences: int


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


@dataclass(slots=True)
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
    first_words, first_pairs : ndarray of int, shape (n_sentences,)
        Where each sentence begins in `vectors`, and its distances in `gold`.
    """

    vectors: Tensor
    lengths: NDArray[np.int64]
    gold: Tensor
    pairs: bool
    first_words: NDArray[np.int64] = field(init=False)
    first_pairs: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.first_words = np.cumsum(self.lengths) - self.lengths
        self.first_pairs = np.cumsum(self.lengths**2) - self.lengths**2

    def batch(self, sentences: NDArray[np.int64], slack: float = FIXED_SLACK) -> Batch:
        """Put sentences into one batch.

        Parameters
        ----------
        sentences : ndarray of int, shape (b,)
            Which sentences, counted from 0. Neighbours in ascending order, shortest first, share
            the pool's memory; all others are copied.
        slack : float
            The share by which the lengths of a block may differ.

        Returns
        -------
        PairBatch or WordBatch
            By whether the pool holds distances or depths.
        """
        sentences = sentences[np.argsort(self.lengths[sentences], kind="stable")]
        lengths = self.lengths[sentences]  # (b,)
        word, inside = ragged(lengths)  # sentence of each word, and its place there
        words = self.first_words[sentences][word] + inside  # (m,)
        vectors = _take(self.vectors, words, dim=-2)
        if self.pairs:
            groups = group_by_length(lengths, slack=slack)
            ends = np.cumsum(lengths)
            blocks = [self._block(sentences[group], int(ends[group[-1]])) for group in groups]
            return PairBatch(vectors, blocks, len(sentences))
        gold = _take(self.gold, words, dim=0).to(vectors.dtype)
        weights = torch.from_numpy(1 / lengths[word]).to(vectors.dtype).to(vectors.device)
        return WordBatch(vectors, gold, weights, len(sentences))

    def _block(self, sentences: NDArray[np.int64], last: int) -> Block:
        """Lay out the distances of sentences of like length, whose words end before `last`."""
        device, dtype = self.vectors.device, self.vectors.dtype
        lengths = self.lengths[sentences]  # (b,)
        b, n, m = len(lengths), int(lengths.max()), int(lengths.sum())
        place = np.arange(n)
        pairs = (
            self.first_pairs[sentences, None, None]
            + place[:, None] * lengths[:, None, None]
            + place
        )
        is_word = place < lengths[:, None]  # (b, n)
        pairs[~(is_word[:, :, None] & is_word[:, None, :])] = 0
        gold = self.gold[torch.from_numpy(pairs).to(device)].to(dtype)  # (b, n, n)
        weights = torch.from_numpy(is_word / lengths[:, None]).to(dtype).to(device)
        if m == b * n:
            return Block(last - m, last, gold, weights, None, None)
        rows = np.flatnonzero(is_word)  # (m,)
        slots = np.zeros(b * n, dtype=np.int64)
        slots[rows] = np.arange(m)
        layout = (torch.from_numpy(one).to(device) for one in (slots, rows))
        return Block(last - m, last, gold, weights, *layout)


def fixed_batches(pool: Pool, sizes: Sequence[int]) -> list[Batch]:
    """Cut a pool into batches of neighbouring sentences, once, sharing the pool's memory.

    Parameters
    ----------
    pool : Pool
        Sentences such that those of a batch stand together, shortest first.
    sizes : sequence of int
        Sentences in each batch, one or more.

    Returns
    -------
    list of PairBatch or WordBatch
        The batches in order.
    """
    return [pool.batch(part) for part in np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])]


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
        yield pool.batch(order[start : start + batch_size], RANDOM_SLACK)


def order_by_length(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order sentences by length, so that neighbours share a length.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.

    Returns
    -------
    ndarray of int, shape (n_sentences,)
        The sentences, shortest first; those of one length as they come.
    """
    return np.argsort(lengths, kind="stable")


def mixed_batches(
    lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Compose batches that mix lengths and yet pad little.

    The sentences are cut into bands by length, and each batch holds some neighbours in length
    from every band: so the batches are alike, as random ones are, and the gradients of
    long and short sentences meet in every step.

    Parameters
    ----------
    lengths : ndarray of int, shape (n_sentences,)
        Words in each sentence.
    batch_size : int
        Sentences in a batch, more or less.
    generator : numpy.random.Generator
        Draws which neighbours meet.

    Returns
    -------
    list of ndarray of int
        The sentences of each batch, shortest first; every sentence is in one batch.
    """
    n_batches = -(-len(lengths) // batch_size)
    shuffled = generator.permutation(len(lengths))
    ordered = shuffled[order_by_length(lengths[shuffled])]
    bands = []
    for band in np.array_split(ordered, min(BANDS, batch_size)):
        neighbours = np.array_split(band, n_batches)
        bands.append([neighbours[i] for i in generator.permutation(n_batches)])
    return [np.concatenate(parts) for parts in zip(*bands, strict=True)]


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
