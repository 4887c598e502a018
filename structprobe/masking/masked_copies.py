"""Masked copies of sentences: each word masked alone, and with each other word.

A sentence of n words has ``n + n(n - 1) / 2`` copies: the impact of word j on word i and that of i
on j are both read from the copy in which both are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.batching import Layout, weigh_links
from structprobe.encoder.subwords.pieces import Pieces


class Part(NamedTuple):
    """The copies of one sentence among some rows."""

    sentence: int  # Its index
    first: int
    last: int
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class MaskedRows:
    """Some masked copies, padded on the right, and the positions of their masked words."""

    ids: NDArray[np.int64]  # (n_rows, n_positions)
    unmasked: NDArray[np.int64]  # (n_rows, n_positions): without masks
    mask: NDArray[np.int64]  # (n_rows, n_positions): 1 for tokens, 0 for padding
    words: NDArray[np.int64]  # (n_rows, 2)
    weights: NDArray[np.float32]  # (n_rows, 2, n_positions)
    parts: tuple[Part, ...]  # The sentences of the copies


class MaskedCopies:
    """The masked copies of sentences, the longest sentences first, in batches.

    A batch may end within a sentence. All subwords of a word are masked; a subword of two words is
    masked with either.
    """

    def __init__(self, sentences: Sequence[Pieces], layout: Layout, mask_token: int) -> None:
        self.sentences, self.layout, self.mask_token = sentences, layout, mask_token
        n_special = len(layout.surroundings)
        widths = np.array([len(one.ids) + n_special for one in sentences], dtype=np.int64)
        self._order = np.argsort(-widths, kind="stable")  # sentences, the widest first
        self._widths = widths[self._order]
        words = np.array([one.n_words for one in sentences], dtype=np.int64)[self._order]
        self._starts = np.cumsum([0, *(words * (words + 1) // 2)])  # first row of each sentence
        self.n_rows = int(self._starts[-1])
        self.batches = list(self._cut(layout.batch_tokens))

    def rows(self, start: int, stop: int) -> MaskedRows:
        """Make some copies."""
        first, last = np.searchsorted(self._starts, [start, stop - 1], side="right") - 1
        shape = (stop - start, int(self._widths[first]))
        unmasked = np.full(shape, self.layout.pad, dtype=np.int64)
        hidden, there = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        words = np.empty((shape[0], 2), dtype=np.int64)
        weights = np.zeros((shape[0], 2, shape[1]), dtype=np.float32)
        parts = []
        for place in range(first, last + 1):
            top, bottom = self._starts[place : place + 2].tolist()  # rows of the sentence
            first_row, end = max(start, top), min(stop, bottom)
            sentence, row = int(self._order[place]), slice(first_row - start, end - start)
            parts.append(Part(sentence, row.start, row.stop, start <= top, bottom <= stop))
            pieces, width = self.sentences[sentence], slice(int(self._widths[place]))
            masked = _masked_words(pieces.n_words)[first_row - top : end - top]
            share, touched = self._shares(pieces)
            unmasked[row, width] = self.layout.row(pieces, 0)
            there[row, width] = True
            hidden[row, width] = touched[masked].any(axis=1)
            words[row], weights[row, :, width] = masked, share[masked]
        ids = np.where(hidden, self.mask_token, unmasked)
        return MaskedRows(ids, unmasked, there.astype(np.int64), words, weights, tuple(parts))

    def _shares(self, pieces: Pieces) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give the share of each position in each word, and whether it belongs to the word."""
        # -> (n_words, width), (n_words, width)
        # The two differ: all subwords of a word are masked, however they are pooled.
        around, word = self.layout.surroundings, pieces.links[:, 1]
        place = word, pieces.links[:, 0] + len(around.before)
        shares = np.zeros((pieces.n_words, len(pieces.ids) + len(around)), dtype=np.float32)
        shares[place] = weigh_links(word, self.layout.pooling)
        touched = np.zeros(shares.shape, dtype=bool)
        touched[place] = True
        return shares, touched

    def _cut(self, batch_tokens: int) -> Iterator[tuple[int, int]]:
        """Divide all rows into batches."""
        start = 0
        while start < self.n_rows:
            widest = self._widths[np.searchsorted(self._starts, start, side="right") - 1]
            stop = min(self.n_rows, start + max(1, batch_tokens // int(widest)))
            yield start, stop
            start = stop


def _masked_words(n: int) -> NDArray[np.int64]:
    """List the words to mask, alone and then in pairs, (n * (n + 1) / 2, 2)."""
    alone = np.repeat(np.arange(n)[:, None], 2, axis=1)
    return np.concatenate([alone, np.argwhere(np.triu(np.ones((n, n)), 1))])
