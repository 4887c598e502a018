"""One sentence of a treebank, frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import TreebankError

# What no column of a CoNLL-U file can hold: it would end the column, the line or the encoding.
_UNWRITABLE = re.compile("[\t\n\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sentence:
    """One sentence: its syntactic words and, where annotated, its tree.

    Two sentences are equal where all but `path`, `line`, `raw_lines` and `rows` agrees: what
    they say counts, and not where and how it was written.

    Attributes
    ----------
    words : tuple of str, length n
        The syntactic words (FORM), never sub-words; multiword ranges and empty nodes are none.
    heads : ndarray of int32, shape (n,), or None
        The head of each word, 1-based, 0 for the root's; read-only. None where the sentence has
        ``_`` throughout.
    deprels, upos, xpos : tuple of str, length n, or None
        The columns as written; None where the whole file has ``_`` throughout.
    gaps : tuple of str, length n
        What stands behind each word in the original text: a space or nothing, by SpaceAfter. The
        last one stands behind the last word. Inside a multiword range it is nothing where
        the range's form is its words joined, and a space where it is not. Left empty, it
        becomes a space behind each word.
    sent_id : str or None
        The comment ``# sent_id``.
    path : str or None
        The file it was read from.
    line : int or None
        The line of that file, counted from 1, of the first of `raw_lines`; word `i` (0-based)
        stands in line ``line + rows[i]``.
    raw_lines : tuple of str
        The block as read, line endings and the blank lines behind it included: the raw lines
        of all sentences of a file, joined, are the file. Blocks of comments alone stand in front
        of the sentence that follows them, or behind the last one.
    rows : tuple of int, length n
        The index in `raw_lines` of each word's line.

    Raises
    ------
    TreebankError
        For no words, columns of different lengths, heads that are no whole numbers, and a value
        that no CoNLL-U file can hold.
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

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("words", "deprels", "upos", "xpos"):
            column = getattr(self, name)
            if isinstance(column, str):
                raise TreebankError(f"{name} is the one string {column!r}", hint="give a list")
            if column is not None:
                put(self, name, tuple(column))
                self._check_column(name)
        put(self, "gaps", tuple(self.gaps) or (" ",) * len(self.words))
        if not self.words:
            raise self._fault("a sentence without words", "give it a word or leave it out")
        if self.heads is not None:
            heads = np.array(self.heads)
            if heads.ndim != 1 or not np.issubdtype(heads.dtype, np.integer):
                what = f"heads of shape {heads.shape} and type {heads.dtype}"
                raise self._fault(what, "give one whole number a word")
            heads = heads.astype(np.int32)
            heads.flags.writeable = False
            put(self, "heads", heads)
        for name in ("heads", "deprels", "upos", "xpos", "gaps"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.words):
                what = f"{len(column)} {name} for {len(self.words)} words"
                raise self._fault(what, "give one a word")
        if self.sent_id is not None and _UNWRITABLE.search(self.sent_id.replace("\t", " ")):
            raise TreebankError(f"sent_id {self.sent_id!r} is not one line of text")

    def _check_column(self, name: str) -> None:
        values = getattr(self, name)
        if "" not in values and not _UNWRITABLE.search("".join(values)):
            return
        i, value = next(
            (i, value) for i, value in enumerate(values) if not value or _UNWRITABLE.search(value)
        )
        raise self._fault(
            f"{name}[{i}] is {value!r}, which no CoNLL-U file can hold",
            "leave out empty strings, tabs, line ends, NULs and lone surrogates",
        )

    def _fault(self, what: str, hint: str) -> TreebankError:
        return TreebankError(what, path=self.path, line=self.line, sent_id=self.sent_id, hint=hint)

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        text = " ".join(self.words)
        shown = text if len(text) <= 40 else text[:39] + "…"
        return f"Sentence({len(self)} words: {shown!r})"

    def _content(self) -> tuple[object, ...]:
        heads = None if self.heads is None else self.heads.tobytes()
        labels = (self.deprels, self.upos, self.xpos)
        return (self.words, heads, *labels, self.gaps, self.sent_id)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sentence):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __reduce__(self) -> tuple[object, ...]:
        # Through the constructor, so that the heads of a copy are read-only too.
        return Sentence, tuple(getattr(self, field.name) for field in fields(self))

    @property
    def where(self) -> str:
        """Where the sentence stands, for messages: file, line and sent_id as far as known."""
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        name = f"sent_id {self.sent_id!r}" if self.sent_id else None
        return ": ".join(filter(None, (place, name))) or f"the sentence {' '.join(self.words)!r}"
