"""Rows of tokens with the matrices that turn attention between tokens into that between words.

Unlike vectors (`structprobe.encoder.subwords.batching.Rows`), attention has two ends: the subword
that is attended to is weighted differently from the one that attends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.batching import Layout, TextBatch, pad_rows
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.windows import choose_windows, cut_windows

# Positions in a row, their words and their shares, each (n_links,)
_Links = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class AttentionRows:
    """Some windows of a batch, padded on the right, and the words at both ends of attention."""

    ids: NDArray[np.int64]  # (n_rows, n_positions): as in `Rows`
    mask: NDArray[np.int64]  # (n_rows, n_positions): as in `Rows`
    sentence: NDArray[np.int64]  # (n_rows,): the sentence of each window, by its index in the batch
    source: NDArray[np.float32]  # (n_rows, n_words, n_positions)
    target: NDArray[np.float32]  # (n_rows, n_positions, n_words + 2)
    types: NDArray[np.int64] | None = None  # (n_rows, n_positions)


def attention_rows(batch: TextBatch) -> Iterator[AttentionRows]:
    """Write the sentences of a batch as rows of tokens."""
    layout = batch.layout
    before, after = layout.surroundings.before, layout.surroundings.after
    n_words = max(pieces.n_words for pieces in batch.pieces)
    rows = [(i, *row) for i, pieces in enumerate(batch.pieces) for row in _rows(pieces, layout)]
    step = max(1, layout.batch_tokens // max(len(row[1]) for row in rows))
    for start in range(0, len(rows), step):
        sentence, tokens, sources, targets = zip(*rows[start : start + step], strict=True)
        ids, mask = pad_rows(tokens, layout.pad)
        source = np.zeros((len(ids), n_words, ids.shape[1]), dtype=np.float32)
        target = np.zeros((*ids.shape, n_words + 2), dtype=np.float32)
        for row, end in enumerate(map(len, tokens)):
            position, word, share = sources[row]
            source[row, word, position] = share
            position, word, share = targets[row]
            target[row, position, word] = share
            target[row, : len(before), -2] = target[row, end - len(after) : end, -2] = 1
        target[:, 0, -1] = 1
        yield AttentionRows(ids, mask, np.array(sentence), source, target)


def _rows(pieces: Pieces, layout: Layout) -> Iterator[tuple[NDArray[np.int32], _Links, _Links]]:
    """Give the tokens of each window of a sentence, and its words that attend and are attended."""
    piece, word = pieces.links.T
    windows = cut_windows(pieces.links, len(pieces.ids), layout.size or len(pieces.ids))
    chosen = choose_windows(pieces.links, windows, len(pieces.ids), layout.reads_right)
    mean, split = 1 / np.bincount(word)[word], 1 / np.bincount(piece)[piece]  # (n_links,)
    for number, (start, stop) in enumerate(windows.tolist()):
        position, looking = piece - start + len(layout.surroundings.before), chosen == number
        # A word is attended to from every window that has a subword of it.
        seen = (piece >= start) & (piece < stop)
        source = position[looking], word[looking], mean[looking]
        yield layout.row(pieces, start, stop), source, (position[seen], word[seen], split[seen])
