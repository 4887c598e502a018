"""Rows of tokens with the matrices that turn attention between tokens into that between words.

Unlike vectors (`structprobe.encoder.subwords.batching.Rows`), attention has two ends: the subword
that is attended to is weighted differently from the one that attends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.subwords.batching import TextBatch, pad_rows
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.windows import choose_windows, cut_windows


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
    rows: list[NDArray[np.int32]] = []
    sentence: list[int] = []
    looking, looked_at = [], []  # links of the two ends, by sentence
    for number, pieces in enumerate(batch.pieces):
        windows = cut_windows(pieces.links, len(pieces.ids), layout.size or len(pieces.ids))
        source, target = _link_windows(pieces, windows, layout.reads_right)
        looking.append(source.moved(len(rows), len(before)))
        looked_at.append(target.moved(len(rows), len(before)))
        rows += [
            np.concatenate([before, pieces.ids[i:j], after]).astype(np.int32)
            for i, j in windows.tolist()
        ]
        sentence += [number] * len(windows)

    sources, targets = _Links.joined(looking), _Links.joined(looked_at)
    step = max(1, layout.batch_tokens // max(map(len, rows)))
    for start in range(0, len(rows), step):
        ids, mask = pad_rows(rows[start : start + step], layout.pad)
        shape = (*ids.shape, n_words)
        special = mask.copy()  # (n_rows, n_positions)
        ends = mask.sum(axis=1)
        for row, end in enumerate(ends.tolist()):
            special[row, len(before) : end - len(after)] = 0
        first = np.zeros_like(special)
        first[:, 0] = 1
        yield AttentionRows(
            ids=ids,
            mask=mask,
            sentence=np.array(sentence[start : start + step]),
            source=sources.matrix(start, shape).swapaxes(1, 2),
            target=np.concatenate(
                [targets.matrix(start, shape), special[..., None], first[..., None]],
                axis=2,
                dtype=np.float32,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Links:
    """Links of positions in rows to words, with their shares; each (n_links,)."""

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    word: NDArray[np.int64]
    share: NDArray[np.float64]

    def moved(self, rows: int, positions: int) -> _Links:
        """Add offsets to rows and positions."""
        return _Links(self.row + rows, self.position + positions, self.word, self.share)

    @staticmethod
    def joined(parts: Sequence[_Links]) -> _Links:
        """Join the links of several sentences."""
        return _Links(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("row", "position", "word", "share")
            )
        )

    def matrix(self, start: int, shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Give the shares of the rows from `start` on, (n_rows, n_positions, n_words)."""
        matrix = np.zeros(shape, dtype=np.float32)
        inside = (self.row >= start) & (self.row < start + shape[0])
        place = self.row[inside] - start, self.position[inside], self.word[inside]
        matrix[place] = self.share[inside]
        return matrix


def _link_windows(
    pieces: Pieces, windows: NDArray[np.int64], reads_right: bool
) -> tuple[_Links, _Links]:
    """Link the windows of one sentence to the words that attend and are attended to."""
    piece, word = pieces.links.T
    chosen = choose_windows(pieces.links, windows, len(pieces.ids), reads_right)
    source = _Links(chosen, piece - windows[chosen, 0], word, 1 / np.bincount(word)[word])
    # A word is attended to from every window that has a subword of it.
    window, link = np.nonzero((piece >= windows[:, :1]) & (piece < windows[:, 1:]))
    share = 1 / np.bincount(piece)[piece[link]]
    return source, _Links(window, piece[link] - windows[window, 0], word[link], share)
