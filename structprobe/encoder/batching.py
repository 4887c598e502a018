"""Sentences of like length, laid out side by side as the model takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.pieces import Pieces
from structprobe.encoder.pooling import weigh_links
from structprobe.encoder.special_tokens import Surroundings
from structprobe.encoder.windows import choose_windows, cut_windows


@dataclass(frozen=True, slots=True)
class Rows:
    """Some windows of a batch, padded on the right, and what of them makes which words.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_rows, n_positions)
        Vocabulary numbers, special tokens and padding included.
    mask : ndarray of int64, shape (n_rows, n_positions)
        1 where there is a token, 0 for padding.
    positions : ndarray of int64, shape (n_links,)
        Place of each piece that has a share in a word, among all ``n_rows * n_positions``;
        ordered by word.
    starts : ndarray of int64, shape (n_words,)
        Where in `positions` the pieces of each word begin, through all sentences of the batch; a
        word may have none here.
    weights : ndarray of float32, shape (n_links,)
        Its share.
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    positions: NDArray[np.int64]
    starts: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layout:
    """How sentences are laid out; the same for all of an encoder's.

    Attributes
    ----------
    surroundings : Surroundings
        Special tokens around each window.
    size : int or None
        Pieces that a window takes; None for any number.
    reads_right : bool
        Whether the model reads what follows a word.
    pooling : {"mean", "first", "last"}
        How pieces make a word.
    pad : int
        Vocabulary number written behind a window's end.
    batch_tokens : int
        Positions, padding included, that go through the model at once; a single window may
        take more.
    """

    surroundings: Surroundings
    size: int | None
    reads_right: bool
    pooling: str
    pad: int
    batch_tokens: int

    def width(self, n_pieces: int) -> int:
        """Give the positions that a sentence's windows take, special tokens included."""
        return min(n_pieces, self.size or n_pieces) + len(self.surroundings)


def make_batches(widths: Sequence[int], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Put sentences of like length together, the longest first.

    Parameters
    ----------
    widths : sequence of int, length n_sentences
        Positions that each takes.
    batch_tokens : int
        Positions, padding included, that a batch has at most; a single sentence may have more.

    Returns
    -------
    list of ndarray of int64
        The sentences of each batch; each sentence is in one.

    Examples
    --------
    >>> [batch.tolist() for batch in make_batches([2, 5, 3, 2], 6)]
    [[1], [2, 0], [3]]
    """
    order = np.argsort(-np.asarray(widths, dtype=np.int64), kind="stable")
    batches, start = [], 0
    while start < len(order):
        stop = start + max(1, batch_tokens // widths[order[start]])
        batches.append(order[start:stop])
        start = stop
    return batches


def lay_out(sentences: Sequence[Pieces], layout: Layout) -> Iterator[Rows]:
    """Write the sentences of a batch as rows of tokens.

    Parameters
    ----------
    sentences : sequence of Pieces
        The sentences of one batch.
    layout : Layout
        How to write them.

    Yields
    ------
    Rows
        All of them, or so many windows as the token budget allows.
    """
    rows: list[NDArray[np.int32]] = []
    links: list[NDArray[np.float64]] = []  # row, column, word and weight of each
    n_words = 0
    for pieces in sentences:
        new_rows, new_links = _cut(pieces, layout)
        links.append(new_links + np.array([len(rows), 0, n_words, 0]))
        rows += new_rows
        n_words += pieces.n_words
    all_links = np.concatenate(links)
    step = max(1, layout.batch_tokens // max(map(len, rows)))
    for start in range(0, len(rows), step):
        inside = (all_links[:, 0] >= start) & (all_links[:, 0] < start + step)
        yield _pad(
            rows[start : start + step],
            all_links[inside] - np.array([start, 0, 0, 0]),
            n_words,
            layout,
        )


def _cut(pieces: Pieces, layout: Layout) -> tuple[list[NDArray[np.int32]], NDArray[np.float64]]:
    """Write one sentence as one row or more, with the row, column, word and weight of its links."""
    n_pieces = len(pieces.ids)
    windows = cut_windows(pieces.links, n_pieces, layout.size or n_pieces)
    chosen = choose_windows(pieces.links, windows, n_pieces, layout.reads_right)
    before, after = layout.surroundings.before, layout.surroundings.after
    rows = [np.concatenate([before, pieces.ids[start:stop], after]) for start, stop in windows]
    piece, word = pieces.links.T
    columns = piece - windows[chosen, 0] + len(before)
    weights = weigh_links(word, layout.pooling)
    return rows, np.stack([chosen, columns, word, weights], axis=1)[weights > 0]


def _pad(
    rows: Sequence[NDArray[np.int32]], links: NDArray[np.float64], n_words: int, layout: Layout
) -> Rows:
    """Pad rows to one width, and find the places of their links in them."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]  # (n_rows, n_positions)
    ids = np.full(mask.shape, layout.pad, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    row, column, word = links[:, :3].astype(np.int64).T
    return Rows(
        ids=ids,
        mask=mask.astype(np.int64),
        positions=row * mask.shape[1] + column,
        starts=np.searchsorted(word, np.arange(n_words)),
        weights=links[:, 3].astype(np.float32),
    )
