"""One sentence of a treebank, frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """One sentence: its syntactic words and, where annotated, its tree.

    Attributes
    ----------
    words : tuple of str, length n
        The syntactic words (FORM), never sub-words; multiword ranges and empty nodes are none.
    heads : ndarray of int32, shape (n,), or None
        The head of each word, 1-based, 0 for the root's; read-only. None where the file has
        ``_`` throughout.
    deprels, upos, xpos : tuple of str, length n, or None
        The columns as written; None where the file has ``_`` throughout.
    gaps : tuple of str, length n
        What stands behind each word in the original text: a space or nothing, by SpaceAfter. The
        last one stands behind the last word. Inside a multiword range it is nothing where
        the range's form is its words joined, and a space where it is not.
    sent_id : str or None
        The comment ``# sent_id``.
    path : str or None
        The file it was read from.
    line : int or None
        The line of that file, counted from 1, where the sentence's block begins.
    raw_lines : tuple of str
        The block as read, line endings and the blank line behind it included: the raw lines
        of all sentences of a file, joined, are the file.
    rows : tuple of int, length n
        The index in `raw_lines` of each word's line.
    """

    words: tuple[str, ...]
    heads: NDArray[np.int32] | None = None
    deprels: tuple[str, ...] | None = None
    upos: tuple[str, ...] | None = None
    xpos: tuple[str, ...] | None = None
    gaps: tuple[str, ...] = ()
    sent_id: str | None = None
    path: str | None = None
    line: int | None = None
    raw_lines: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    @property
    def where(self) -> str:
        """Where the sentence stands, for messages: file, line and sent_id as far as known."""
        place = f"{self.path}:{self.line}" if self.path else ""
        name = f"sent_id {self.sent_id!r}" if self.sent_id else ""
        return ": ".join(part for part in (place, name) if part) or f"{' '.join(self.words)!r}"
