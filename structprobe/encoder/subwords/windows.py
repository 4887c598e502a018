"""Overlapping windows for sentences that are too long for the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cut_windows(links: NDArray[np.integer], n_pieces: int, size: int) -> NDArray[np.int64]:
    """Cover a sentence with windows that overlap by half, and long words with their own."""
    # links (n_links, 2) -> (n_windows, 2)
    if n_pieces <= size:
        return np.array([[0, n_pieces]])
    last = n_pieces - size
    starts = np.unique(np.append(np.arange(0, last, max(1, size // 2)), last))
    first, final = word_extents(links)
    lengths = final - first + 1
    whole = _holds(starts, size, first, final).any(axis=1)  # (n_words,)
    lonely = ~whole & (lengths <= size)
    around = np.clip(first[lonely] - (size - lengths[lonely]) // 2, 0, last)
    starts = np.unique(np.concatenate([starts, around]))
    return np.stack([starts, starts + size], axis=1)


def choose_windows(
    links: NDArray[np.integer], windows: NDArray[np.integer], n_pieces: int, reads_right: bool
) -> NDArray[np.int64]:
    """Choose, for the subwords of each word, the window with the most context for the word."""
    # links (n_links, 2), windows (n_windows, 2) -> (n_links,)
    if len(windows) == 1:
        return np.zeros(len(links), dtype=np.int64)
    size = int(windows[0, 1])
    first, final = (extent[links[:, 1]] for extent in word_extents(links))  # (n_links,)
    whole = _holds(windows[:, 0], size, first, final).any(axis=1)
    first = np.where(whole, first, links[:, 0])[:, None]
    final = np.where(whole, final, links[:, 0])[:, None]
    starts, ends = windows[:, 0], windows[:, 1]
    left = np.where(starts == 0, n_pieces, first - starts)  # (n_links, n_windows)
    right = np.where(ends == n_pieces, n_pieces, ends - 1 - final)
    context = np.minimum(left, right) if reads_right else left
    inside = (first >= starts) & (final < ends)
    chosen: NDArray[np.int64] = np.argmax(np.where(inside, context, -1), axis=1)
    return chosen


def word_extents(links: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the first and the last subword of each word."""
    # links (n_links, 2) -> (n_words,)
    starts = np.flatnonzero(np.diff(links[:, 1], prepend=-1))
    ends = np.append(starts[1:], len(links))[: len(starts)]
    return links[starts, 0].astype(np.int64), links[ends - 1, 0].astype(np.int64)


def _holds(
    starts: NDArray[np.integer], size: int, first: NDArray[np.integer], final: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Give a mask of the windows that contain a range completely, (n_ranges, n_windows)."""
    return (first[:, None] >= starts) & (final[:, None] < starts + size)
