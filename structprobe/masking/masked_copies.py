"""Masked copies of sentences, and the words that are read in each.

The copies of a sentence of n words depend on the scheme:

- ``"pairs"``: each word masked alone, and with each other word: ``n + n(n - 1) / 2`` copies. The
  impact of word j on word i and that of i on j are read from the one copy in which both are masked.
- ``"left-to-right"``: the same copies, in which only the first subword of a word is read, and more
  copies for each further subword, in which those before it are shown again: one with the rest of
  the word masked alone, and one for each other word that is masked too.
- ``"others"``: the sentence as it is, and each word masked alone: ``n + 1`` copies. All words that
  are not masked are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.batching import Layout, weigh_links
from structprobe.encoder.subwords.pieces import Pieces

PAIRS, LEFT_TO_RIGHT, OTHERS = "pairs", "left-to-right", "others"

Ints = NDArray[np.int64]


class Part(NamedTuple):
    """The copies of one sentence among some rows."""

    sentence: int  # Its index
    first: int
    last: int
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class MaskedRows:
    """Some masked copies, padded on the right, and the words that are read in each."""

    ids: Ints  # (n_rows, n_positions)
    unmasked: Ints  # (n_rows, n_positions): without masks
    mask: Ints  # (n_rows, n_positions): 1 for tokens, 0 for padding
    words: Ints  # (n_rows, n_read): the words that are read, -1 for none
    others: Ints  # (n_rows, n_read): the other word that is masked, or again the word if none is
    weights: NDArray[np.float32]  # (n_rows, n_read, n_positions)
    parts: tuple[Part, ...]  # The sentences of the copies


class MaskedCopies:
    """The masked copies of sentences, the longest sentences first, in batches.

    A batch may end within a sentence. All subwords of a word are masked; a subword of two words is
    masked with either.
    """

    def __init__(
        self, sentences: Sequence[Pieces], layout: Layout, mask_token: int, scheme: str = PAIRS
    ) -> None:
        self.sentences, self.layout, self.mask_token = sentences, layout, mask_token
        self._scheme = scheme
        n_special = len(layout.surroundings)
        widths = np.array([len(one.ids) + n_special for one in sentences], dtype=np.int64)
        self._order = np.argsort(-widths, kind="stable")  # sentences, the widest first
        self._widths = widths[self._order]
        counts = [self._count(sentences[i]) for i in self._order]
        self._starts = np.cumsum([0, *counts])  # first row of each sentence
        self.n_rows = int(self._starts[-1])
        self.batches = list(self._cut(layout.batch_tokens))

    def rows(self, start: int, stop: int) -> MaskedRows:
        """Make some copies."""
        first, last = np.searchsorted(self._starts, [start, stop - 1], side="right") - 1
        n_rows, width = stop - start, int(self._widths[first])
        n_read = 2
        if self._scheme == OTHERS:
            n_read = max(self.sentences[i].n_words for i in self._order[first : last + 1])
        unmasked = np.full((n_rows, width), self.layout.pad, dtype=np.int64)
        hidden, there = np.zeros((2, n_rows, width), dtype=bool)
        words, others = np.full((2, n_rows, n_read), -1, dtype=np.int64)
        weights = np.zeros((n_rows, n_read, width), dtype=np.float32)
        parts = []
        for place in range(first, last + 1):
            top, bottom = self._starts[place : place + 2].tolist()  # rows of the sentence
            first_row, end = max(start, top), min(stop, bottom)
            sentence, row = int(self._order[place]), slice(first_row - start, end - start)
            parts.append(Part(sentence, row.start, row.stop, start <= top, bottom <= stop))
            pieces, columns = self.sentences[sentence], slice(int(self._widths[place]))
            unmasked[row, columns] = self.layout.row(pieces, 0)
            there[row, columns] = True
            masked = self._masked(pieces)[first_row - top : end - top]
            hidden[row, columns] = self._hidden(pieces, masked)
            own = self._read(pieces, masked)
            slots = slice(own[0].shape[1])
            words[row, slots], others[row, slots], weights[row, slots, columns] = own
        ids = np.where(hidden, self.mask_token, unmasked)
        return MaskedRows(
            ids, unmasked, there.astype(np.int64), words, others, weights, tuple(parts)
        )

    def _count(self, pieces: Pieces) -> int:
        """Count the copies of a sentence."""
        n = pieces.n_words
        if self._scheme == OTHERS:
            return n + 1
        further = len(pieces.links) - n if self._scheme == LEFT_TO_RIGHT else 0
        return n * (n + 1) // 2 + further * n

    def _masked(self, pieces: Pieces) -> Ints:
        """List two masked words (-1 for none) and the number of subwords of the first shown."""
        # -> (n_copies, 3)
        n = pieces.n_words
        if self._scheme == OTHERS:
            word = np.arange(-1, n)
            return np.stack([word, word, np.zeros_like(word)], axis=1)
        alone = np.repeat(np.arange(n)[:, None], 2, axis=1)
        pairs = np.concatenate([alone, np.argwhere(np.triu(np.ones((n, n)), 1))])
        masked = np.insert(pairs, 2, 0, axis=1)
        if self._scheme == LEFT_TO_RIGHT:
            rank = _ranks(pieces)
            word, shown = pieces.links[rank > 0, 1], rank[rank > 0]
            further = np.repeat(np.stack([word, word, shown], axis=1), n, axis=0)
            further[:, 1] = np.tile(np.arange(n), len(word))
            masked = np.concatenate([masked, further])
        return masked

    def _hidden(self, pieces: Pieces, masked: Ints) -> NDArray[np.bool_]:
        """Give the positions that some copies hide."""
        # masked (k, 3) -> (k, width)
        first, second, shown = masked.T
        ranks = self._ranks(pieces)
        hidden: NDArray[np.bool_] = ranks[first] >= shown[:, None]
        # A subword of both words is shown with the first.
        hidden |= (ranks[second] >= 0) & (ranks[first] < 0)
        return hidden

    def _read(self, pieces: Pieces, masked: Ints) -> tuple[Ints, Ints, NDArray[np.float32]]:
        """Give the words that some copies read, their others and weights."""
        # masked (k, 3) -> (k, n_read), (k, n_read), (k, n_read, width)
        first, second, shown = masked.T
        ranks = self._ranks(pieces)
        if self._scheme == OTHERS:
            word = np.arange(pieces.n_words)
            words = np.where(word == first[:, None], -1, word)
            others = np.where(first[:, None] < 0, word, first[:, None])
        else:
            # From a copy in which a word is shown in part, only that word is read.
            both = (first != second) & (shown == 0)
            words = np.stack([first, np.where(both, second, -1)], axis=1)
            others = np.stack([second, np.where(both, first, -1)], axis=1)
        if self._scheme == LEFT_TO_RIGHT:
            next_one = np.stack([shown, np.zeros_like(shown)], axis=1)
            return words, others, (ranks[words] == next_one[:, :, None]).astype(np.float32)
        # All subwords of a word are masked, however they are pooled.
        shares = np.zeros(ranks.shape, dtype=np.float32)
        shares[self._places(pieces)] = weigh_links(pieces.links[:, 1], self.layout.pooling)
        return words, others, shares[words]

    def _ranks(self, pieces: Pieces) -> Ints:
        """Count the subwords of each word from 0; -1 elsewhere, as in the last row, for no word."""
        # -> (n_words + 1, width)
        ranks = np.full((pieces.n_words + 1, len(pieces.ids) + len(self.layout.surroundings)), -1)
        ranks[self._places(pieces)] = _ranks(pieces)
        return ranks

    def _places(self, pieces: Pieces) -> tuple[Ints, Ints]:
        """Give the word and the position of each link."""
        piece, word = pieces.links.T
        return word, piece + len(self.layout.surroundings.before)

    def _cut(self, batch_tokens: int) -> Iterator[tuple[int, int]]:
        """Divide all rows into batches."""
        start = 0
        while start < self.n_rows:
            widest = self._widths[np.searchsorted(self._starts, start, side="right") - 1]
            stop = min(self.n_rows, start + max(1, batch_tokens // int(widest)))
            yield start, stop
            start = stop


def _ranks(pieces: Pieces) -> Ints:
    """Count the subwords of each word from 0, (n_links,); links are in the order of words."""
    word = pieces.links[:, 1]
    firsts = np.flatnonzero(np.diff(word, prepend=-1))
    ranks: Ints = np.arange(len(word)) - np.repeat(firsts, np.bincount(word))
    return ranks
