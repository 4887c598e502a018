"""The pieces that a model reads, and which of them count for which word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SPACES = [code for code in range(0x3001) if chr(code).isspace()]  # there are none beyond


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of one sentence, special tokens around it not among them.

    Attributes
    ----------
    ids : ndarray of int32, shape (n_pieces,)
        The pieces' numbers in the vocabulary.
    links : ndarray of int64, shape (n_links, 2)
        Pairs of piece and word, both counted from 0: the piece counts for the word. Ordered by
        word, then by piece; every word has at least one.
    n_words : int
        How many words the sentence has.
    """

    ids: NDArray[np.int32]
    links: NDArray[np.int64]
    n_words: int


def link_pieces(
    text: str,
    spans: NDArray[np.integer],
    offsets: ArrayLike,
    blank: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Link each piece to every word with which it shares a character that is no space.

    Parameters
    ----------
    text : str
        The text that was cut into pieces; several may be joined, with words, pieces and
        characters counted through.
    spans : ndarray of int, shape (n_words, 2)
        Characters of each word: word `i` is ``text[spans[i, 0]:spans[i, 1]]``; ascending.
    offsets : array-like of int, shape (n_pieces, 2)
        Characters of each piece, in the same way.
    blank : ndarray of bool, shape (n_pieces,), optional
        Pieces that are spaces alone whatever their offsets say: a tokenizer that puts a space in
        front of a text gives it the offsets of the first character.

    Returns
    -------
    ndarray of int64, shape (n_links, 2)
        Pairs of piece and word, as in `Pieces`.

    Examples
    --------
    The pieces ``don|'t`` of the words ``do|n't``:

    >>> link_pieces("don't", np.array([[0, 2], [2, 5]]), [[0, 3], [3, 5]]).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
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
    """Join the ranges ``start .. start + length`` into one row of numbers.

    Parameters
    ----------
    starts : ndarray of int, shape (n_ranges,)
        First number of each.
    lengths : ndarray of int, shape (n_ranges,)
        How many each has.

    Returns
    -------
    ndarray of int64, shape (sum of lengths,)
        The numbers, range after range.

    Examples
    --------
    >>> join_ranges(np.array([7, 0]), np.array([3, 2])).tolist()
    [7, 8, 9, 0, 1]
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
