"""Batches: which rows of the word vectors belong to which sentence, with the gold values.

A batch holds no vectors. It says which rows of a layer's vectors are its words, so that one batch
serves all layers and several probes at once. The sentences of a batch of distances are grouped into
blocks of similar length, padded to the longest with rows of zeros, so that every product of a
training step runs on views; there is little padding, and mostly none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.data.ragged_vectors import ragged
from structprobe.trees.padding import group_by_length

# Sentences of one block differ in length by at most this share: a trade of blocks for padding.
SLACK = 0.25
# Every fixed batch holds sentences from this many bands of length.
BANDS = 4


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences of similar length within a batch: b of them, of n words or slightly fewer."""

    n_sentences: int
    n_words: int
    rows: slice  # Their b * n rows of the batch, padding included
    cells: slice  # Their b * n * n cells among those of the batch


@dataclass(frozen=True, slots=True)
class Arcs:
    """The gold arcs between words of a batch, a in all, with their relations."""

    dependents: Tensor  # (a,): the row of the batch of each dependent, ascending
    heads: Tensor  # (a,): and that of its head
    relations: Tensor  # (a,): the number of the relation
    weight: float  # What one arc weighs

    def within(self, rows: slice) -> Arcs:
        """Take the arcs of the sentences in some rows, which become the first."""
        ends = torch.tensor([rows.start, rows.stop], device=self.dependents.device)
        start, stop = torch.searchsorted(self.dependents, ends).tolist()
        own = self.dependents[start:stop] - rows.start, self.heads[start:stop] - rows.start
        return Arcs(*own, self.relations[start:stop], self.weight)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Rows and gold distances of several sentences, m rows and c cells in all."""

    rows: slice | Tensor  # (m,): the rows of the vectors
    blocks: Sequence[Block]  # The sentences by length
    gold: Tensor  # (c,): the gold distances of the blocks (b, n, n), concatenated
    weights: Tensor  # (c,)
    diagonal: Tensor  # (m,): the cell in which each row meets itself
    n_sentences: int
    arcs: Arcs | None = None  # If the pool has relations
    stays: bool = False  # Whether it will be used again


@dataclass(frozen=True, slots=True)
class WordBatch:
    """Rows and gold depths of several sentences, m words in all."""

    rows: slice | Tensor  # (m,): the rows of the vectors
    gold: Tensor  # (m,): gold depths
    weights: Tensor  # (m,)
    n_sentences: int


@dataclass(frozen=True, slots=True)
class ArcBatch:
    """Rows and gold arcs of several sentences, m words in all."""

    rows: slice | Tensor  # (m,): the rows of the vectors
    gold: Tensor  # (m,): the number of the relation
    weights: Tensor  # (m,): 0 for arcs that are left out
    of_root: Tensor  # (m,): 1 for roots, 0 for other words
    inside: Tensor  # (m',): the other words
    heads: Tensor  # (m',): the word of the batch that is the head of each of them
    sentences: Tensor  # (m,): the sentence of each word
    n_sentences: int


Batch = PairBatch | WordBatch | ArcBatch


def halve(batch: Batch) -> list[Batch]:
    """Divide a batch into halves, of which losses and gradients sum up to those of the whole."""
    if isinstance(batch, ArcBatch):
        middle = batch.n_sentences // 2
        return [_arcs_of(batch, 0, middle), _arcs_of(batch, middle)] if middle else []
    if isinstance(batch, WordBatch):
        n, middle = len(batch.gold), len(batch.gold) // 2
        parts = (slice(middle), slice(middle, n))
        return [_words_of(batch, part) for part in parts] if middle else []
    first, *others = batch.blocks
    middle = first.n_sentences // 2
    if others:
        k = len(batch.blocks) // 2
        return [_pairs_of(batch, batch.blocks[:k]), _pairs_of(batch, batch.blocks[k:])]
    n, row, cell = first.n_words, first.rows.start, first.cells.start
    rows, cells = row + middle * n, cell + middle * n * n
    left = Block(middle, n, slice(row, rows), slice(cell, cells))
    right = slice(rows, first.rows.stop), slice(cells, first.cells.stop)
    halves = left, Block(first.n_sentences - middle, n, *right)
    return [_pairs_of(batch, [half]) for half in halves] if middle else []


def _words_of(batch: WordBatch, part: slice) -> WordBatch:
    """Take some words of a batch."""
    rows = _part(batch.rows, part)
    return WordBatch(rows, batch.gold[part], batch.weights[part], batch.n_sentences)


def _arcs_of(batch: ArcBatch, first: int, last: int | None = None) -> ArcBatch:
    """Take some adjacent sentences of a batch, from the first up to the last, or to the end."""
    last = batch.n_sentences if last is None else last
    ends = torch.tensor([first, last], device=batch.sentences.device)
    start, stop = torch.searchsorted(batch.sentences, ends).tolist()
    part, taken = slice(start, stop), (batch.inside >= start) & (batch.inside < stop)
    return ArcBatch(
        *(_part(batch.rows, part), batch.gold[part], batch.weights[part], batch.of_root[part]),
        *(batch.inside[taken] - start, batch.heads[taken] - start),
        *(batch.sentences[part] - first, last - first),
    )


def _pairs_of(batch: PairBatch, blocks: Sequence[Block]) -> PairBatch:
    """Take some adjacent blocks of a batch."""
    rows = slice(blocks[0].rows.start, blocks[-1].rows.stop)
    cells = slice(blocks[0].cells.start, blocks[-1].cells.stop)
    own = [
        Block(
            *(one.n_sentences, one.n_words),
            slice(one.rows.start - rows.start, one.rows.stop - rows.start),
            slice(one.cells.start - cells.start, one.cells.stop - cells.start),
        )
        for one in blocks
    ]
    pairs = batch.gold[cells], batch.weights[cells], batch.diagonal[rows] - cells.start
    arcs = None if batch.arcs is None else batch.arcs.within(rows)
    return PairBatch(_part(batch.rows, rows), own, *pairs, batch.n_sentences, arcs=arcs)


def _part(rows: slice | Tensor, part: slice) -> slice | Tensor:
    """Take some of the rows of a batch."""
    if isinstance(rows, Tensor):
        return rows[part]
    start = rows.start + (part.start or 0)
    return slice(start, rows.start + part.stop)


Vectors = Any  # From which batches take rows: a tensor, or `streaming.Streamed`


@dataclass(frozen=True, slots=True)
class Layout:
    """The rows of a training or dev set."""

    first_rows: NDArray[np.int64]  # (n_sentences,)
    n_rows: int  # Rows in all
    most_rows: int  # The most that one batch takes


@dataclass(slots=True)
class Pool:
    """All sentences of a training or dev set, from which batches are taken."""

    lengths: NDArray[np.int64]  # (n_sentences,): words in each sentence
    gold: Tensor  # The gold distances (row by row, n² of them) or depths of each sentence, flat
    pairs: bool  # Whether `gold` holds distances rather than depths
    dtype: torch.dtype = torch.float32  # The type of the batches' gold values and weights
    first_gold: InitVar[NDArray[np.int64] | None] = None  # (n_sentences,)
    heads: Tensor | None = None  # (n_words,): of arcs, whose relations are then the gold values
    relations: Tensor | None = None  # (n_words,): of arcs beside distances; -1 to leave them out
    starts: NDArray[np.int64] = field(init=False)  # (n_sentences,): of the gold values
    first_words: NDArray[np.int64] = field(init=False)  # (n_sentences,)
    n_words: int = field(init=False)  # Words in all

    def __post_init__(self, first_gold: NDArray[np.int64] | None) -> None:
        sizes = self.lengths**2 if self.pairs else self.lengths
        self.starts = np.cumsum(sizes) - sizes if first_gold is None else first_gold
        self.first_words = np.cumsum(self.lengths) - self.lengths
        self.n_words = int(self.lengths.sum())

    def batch(
        self, sentences: NDArray[np.integer], first_row: int | None = None, *, stays: bool = False
    ) -> Batch:
        """Put sentences into one batch."""
        # sentences (b,)
        sentences = self._sorted(sentences)
        if self.pairs:
            return self._pair_batch(sentences, first_row, stays)
        return self._word_batch(sentences, first_row)

    def rows_taken(
        self, sentences: NDArray[np.integer]
    ) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
        """Give the order of the sentences in a batch, and the rows that each takes."""
        # sentences (b,) -> (b,), (b,)
        sentences = self._sorted(sentences)
        taken = self.lengths[sentences]
        if self.pairs:
            for group in group_by_length(taken, slack=SLACK):
                taken[group] = taken[group].max()
        return sentences, taken

    def _sorted(self, sentences: NDArray[np.integer]) -> NDArray[np.integer]:
        return sentences[np.argsort(self.lengths[sentences], kind="stable")]

    def _word_batch(self, sentences: NDArray[np.integer], first_row: int | None) -> Batch:
        """Concatenate the words of the sentences."""
        lengths = self.lengths[sentences]  # (b,)
        sentence, inside = ragged(lengths)
        words = self.first_words[sentences][sentence] + inside  # (m,)
        gold = self.gold[self._tensor(self.starts[sentences][sentence] + inside)]
        weights = self._weights(1 / (lengths[sentence] * len(sentences)))
        rows = self._rows(words, first_row)
        if self.heads is None:
            return WordBatch(rows, gold.to(self.dtype), weights, len(sentences))
        # All arcs weigh the same, in whatever sentence they are.
        weights = (gold >= 0).to(self.dtype) * (len(self.lengths) / (self.n_words * len(sentences)))
        to_heads = self.heads[self._tensor(words)]  # (m,), from 1 in each sentence, 0 for roots
        others = torch.nonzero(to_heads)[:, 0]  # (m',)
        places = to_heads + self._tensor((np.cumsum(lengths) - lengths)[sentence] - 1)
        return ArcBatch(
            *(rows, gold.clamp(min=0), weights, (to_heads == 0).long(), others, places[others]),
            *(self._tensor(sentence), len(sentences)),
        )

    def _pair_batch(
        self, sentences: NDArray[np.integer], first_row: int | None, stays: bool
    ) -> Batch:
        """Group sentences of similar length into padded blocks."""
        blocks, words, places, pairs, weights, diagonal = [], [], [], [], [], []
        row = cell = 0
        for group in group_by_length(self.lengths[sentences], slack=SLACK):
            own = sentences[group]
            lengths = self.lengths[own]  # (b,)
            b, n = len(own), int(lengths.max())
            place = np.arange(n)
            is_word = place < lengths[:, None]  # (b, n)
            words.append(np.where(is_word, self.first_words[own, None] + place, self.n_words))
            places.append(np.where(is_word, place, -1))
            square = place[:, None] * lengths[:, None, None] + place  # (b, n, n)
            is_pair = is_word[:, :, None] & is_word[:, None, :]
            pairs.append(np.where(is_pair, self.starts[own][:, None, None] + square, -1))
            weights.append(is_pair / (lengths[:, None, None] ** 2 * len(sentences)))
            first_cells = cell + np.arange(b)[:, None] * n * n  # (b, 1)
            diagonal.append(first_cells + place * (n + 1))
            blocks.append(Block(b, n, slice(row, row + b * n), slice(cell, cell + b * n * n)))
            row, cell = row + b * n, cell + b * n * n
        flat_words, flat_pairs = _flat(words), _flat(pairs)
        gold = self.gold[self._tensor(np.maximum(flat_pairs, 0))].to(self.dtype)
        gold[self._tensor(flat_pairs < 0)] = 0
        return PairBatch(
            self._rows(flat_words, first_row),
            blocks,
            gold,
            self._weights(_flat(weights)),
            self._tensor(_flat(diagonal)),
            len(sentences),
            self._arcs(flat_words, _flat(places), len(sentences)),
            stays,
        )

    def _arcs(
        self, words: NDArray[np.int64], places: NDArray[np.int64], n_sentences: int
    ) -> Arcs | None:
        """Find the arcs between the words in some rows, if they have relations."""
        # words (m,), places (m,): in the sentence, -1 for padding
        if self.relations is None or self.heads is None:
            return None
        own = self._tensor(np.minimum(words, self.n_words - 1))
        heads, relations = self.heads[own], self.relations[own]  # (m,)
        row, place = (self._tensor(some) for some in (np.arange(len(words)), places))
        is_arc = (place >= 0) & (heads > 0) & (relations >= 0)
        n_arcs = int(((self.heads > 0) & (self.relations >= 0)).sum())
        # All arcs weigh the same, in whatever sentence they are.
        weight = len(self.lengths) / (max(n_arcs, 1) * n_sentences)
        of_heads = (row - place + heads - 1)[is_arc]
        return Arcs(row[is_arc], of_heads, relations[is_arc], weight)

    def _rows(self, words: NDArray[np.int64], first_row: int | None) -> slice | Tensor:
        """Give the rows of a batch."""
        if first_row is None:
            return self._tensor(words)
        return slice(first_row, first_row + len(words))

    def _weights(self, array: NDArray[np.float64]) -> Tensor:
        """Put weights on the device of `gold`; some devices have no float64."""
        return torch.from_numpy(array).to(self.dtype).to(self.gold.device)

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.gold.device)


class FixedBatches:
    """Batches of the same sentences in every epoch, whose rows are laid out batch by batch."""

    def __init__(self, pool: Pool, parts: Sequence[NDArray[np.integer]], *, kept: bool) -> None:
        self._pool, self._parts, self._stay = pool, parts, kept
        first_rows, ends = np.full(len(pool.lengths), -1), [0]
        for part in parts:
            sentences, taken = pool.rows_taken(part)
            first_rows[sentences] = ends[-1] + np.cumsum(taken) - taken
            ends.append(ends[-1] + int(taken.sum()))
        self._first_rows = ends[:-1]
        self.layout = Layout(first_rows, ends[-1], int(np.diff(ends).max()))
        self._kept = [self._make(index) for index in range(len(parts))] if kept else None

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> Batch:
        return self._make(index) if self._kept is None else self._kept[index]

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def shuffled(self, generator: np.random.Generator) -> Iterator[Batch]:
        """Give all batches in random order."""
        order = generator.permutation(len(self))
        return (self[index] for index in order)

    def _make(self, index: int) -> Batch:
        return self._pool.batch(self._parts[index], self._first_rows[index], stays=self._stay)


def word_order(pool: Pool, batch_size: int) -> Layout:
    """Lay out rows word by word, with one row of padding at the end, for random batches."""
    longest = np.sort(pool.lengths)[-batch_size:]
    if pool.pairs:
        padded = np.maximum(longest + 1, (longest * (1 + SLACK)).astype(np.int64))
        longest = np.minimum(padded, longest[-1])
    return Layout(pool.first_words, pool.n_words + 1, int(longest.sum()))


def random_batches(pool: Pool, batch_size: int, generator: np.random.Generator) -> Iterator[Batch]:
    """Divide all sentences of a pool into random batches."""
    order = generator.permutation(len(pool.lengths))
    for start in range(0, len(order), batch_size):
        yield pool.batch(order[start : start + batch_size])


def rows_of(vectors: Vectors, rows: slice | Tensor) -> Tensor:
    """Give the rows of a batch: a view if they are a slice, otherwise a copy."""
    # vectors (..., n_rows, width) -> (..., m, width)
    if not isinstance(vectors, Tensor):
        taken: Tensor = vectors[rows]
        return taken
    return vectors[..., rows, :] if isinstance(rows, slice) else vectors.index_select(-2, rows)


def order_by_length(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order sentences by length; a stable order."""
    # lengths (n_sentences,) -> (n_sentences,)
    return np.argsort(lengths, kind="stable")


def mixed_batches(
    lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Compose batches that mix lengths but need little padding."""
    # lengths (n_sentences,)
    n_batches = -(-len(lengths) // batch_size)
    shuffled = generator.permutation(len(lengths))
    ordered = shuffled[order_by_length(lengths[shuffled])]
    bands = []
    for band in np.array_split(ordered, min(BANDS, batch_size)):
        neighbours = np.array_split(band, n_batches)
        bands.append([neighbours[i] for i in generator.permutation(n_batches)])
    return [np.concatenate(parts) for parts in zip(*bands, strict=True)]


def _flat(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Flatten and concatenate arrays."""
    return np.concatenate([array.ravel() for array in arrays])
