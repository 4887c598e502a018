"""The subwords of sentences, and which words they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SPACES = [code for code in range(0x3001) if chr(code).isspace()]  # there are none beyond


@dataclass(frozen=True, slots=True)
class Pieces:
    """The subwords of one sentence, without special tokens."""

    ids: NDArray[np.int32]  # (n_pieces,): token ids
    links: NDArray[np.int64]  # (n_links, 2): subword and word
    n_words: int


def link_pieces(
    text: str,
    spans: NDArray[np.integer],
    offsets: ArrayLike,
    blank: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Link each subword to every word with which it shares a non-space character."""
    # spans (n_words, 2), offsets (n_pieces, 2), blank (n_pieces,) -> (n_links, 2)
    lengths = spans[:, 1] - spans[:, 0]
    word_at = np.full(len(text), -1)  # (n_chars,), the word of each character
    word_at[join_ranges(spans[:, 0], lengths)] = np.repeat(np.arange(len(spans)), lengths)
    word_at[np.isin(np.frombuffer(text.encode("utf-32-le"), "<u4"), _SPACES)] = -1

    bounds = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    lengths = bounds[:, 1] - bounds[:, 0]
    if blank is not None:
        lengths = np.where(blank, 0, lengths)
    words = word_at[join_ranges(bounds[:, 0], lengths)]  # (n_chars_of_pieces,)
    pieces = np.repeat(np.arange(len(bounds)), lengths)
    inside = words >= 0
    base = len(bounds) + 1
    pairs = np.unique(words[inside] * base + pieces[inside])
    return np.stack([pairs % base, pairs // base], axis=1)


def join_ranges(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Concatenate the ranges ``start .. start + length``."""
    # starts (n_ranges,), lengths (n_ranges,) -> (sum of lengths,)
    before = np.cumsum(lengths) - lengths
    numbers: NDArray[np.int64] = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return numbers


def words_of_pieces(pieces: Pieces) -> NDArray[np.int64]:
    """Give the word of each subword: the first that it shares a character with.

    One that is only spaces belongs to the word that follows, as where a tokenizer writes both as
    one; behind the last word, to that.
    """
    # -> (n_pieces,)
    words = np.full(len(pieces.ids), pieces.n_words)
    np.minimum.at(words, pieces.links[:, 0], pieces.links[:, 1])
    following: NDArray[np.int64] = np.minimum.accumulate(words[::-1])[::-1]
    return np.minimum(following, pieces.n_words - 1)
