"""From words to the text that a model reads, knowing which characters are which word's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def join_words(words: Sequence[str], gaps: Sequence[str]) -> tuple[str, NDArray[np.int64]]:
    """Write words as a text and say where each of them stands in it.

    Parameters
    ----------
    words : sequence of str, length n
        The words of one sentence.
    gaps : sequence of str, length n
        What stands behind each word, such as `Sentence.gaps`; a space each gives the text of
        ``spacing="words"``. The last one is left out: a text ends with its last word.

    Returns
    -------
    text : str
        The words with their gaps between them.
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
