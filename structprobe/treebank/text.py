"""From words to the text that a model reads, with the characters of each word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def join_words(words: Sequence[str], gaps: Sequence[str]) -> tuple[str, NDArray[np.int64]]:
    """Join words into text, and locate each word in it.

    Parameters
    ----------
    words : sequence of str, length n
        The words of one sentence.
    gaps : sequence of str, length n
        What follows each word, such as `Sentence.gaps`; the last is not used.

    Returns
    -------
    text : str
        The words with the gaps between them.
    spans : ndarray of int64, shape (n, 2)
        The characters of each word: word `i` is ``text[spans[i, 0]:spans[i, 1]]``.

    Examples
    --------
    >>> text, spans = join_words(["I", "do", "n't", "."], [" ", "", "", " "])
    >>> text, spans.tolist()
    ("I don't.", [[0, 1], [2, 4], [4, 7], [7, 8]])
    """
    pieces = [piece for pair in zip(words, gaps, strict=True) for piece in pair]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)  # (2 n,)
    starts = np.concatenate(([0], ends))[:-1]
    return "".join(pieces[:-1]), np.stack([starts[::2], ends[::2]], axis=1)
