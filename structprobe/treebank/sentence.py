"""One sentence of a treebank, frozen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import TreebankError, counted

# What no column of a CoNLL-U file can hold: it would end the column, the line or the encoding.
_UNWRITABLE = re.compile("[\t\n\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sentence:
    """One sentence: its syntactic words and, where annotated, its tree.

    Two sentences are equal if they agree in all that is not about the file. A copy with other
    values (`dataclasses.replace`) has no `raw_lines`, and is written as its values say.

    Attributes
    ----------
    words : tuple of str, length n
        The syntactic words (FORM), without multiword tokens and empty nodes.
    heads : ndarray of int32, shape (n,), or None
        The head of each word, 1-based, 0 for the root; read-only. None if all are ``_``.
    deprels, upos, xpos : tuple of str, length n, or None
        The columns as written; None if the column is ``_`` in the whole file.
    gaps : tuple of str, length n
        What follows each word in the original text, by SpaceAfter: a space (the default) or
        nothing. Within a multiword token, nothing if the words joined give its form.
    sent_id : str or None
        The value of the ``# sent_id`` comment.
    path : str or None
        The file it was read from.
    line : int or None
        The 1-based line of `raw_lines` in the file; word `i` (0-based) is in ``line + rows[i]``.
    raw_lines : tuple of str
        The lines as read, with line endings and following blank lines; all sentences together
        reproduce the file. Comment-only blocks belong to the next sentence, or to the last one.
    rows : tuple of int, length n
        The index in `raw_lines` of each word's line.
    columns : tuple of str
        The columns of `raw_lines`, if they are others than the ten of CoNLL-U (CoNLL-U Plus).
    read_as : tuple or None
        What `raw_lines` were read as; set by the sentence itself.

    Raises
    ------
    TreebankError
        If there are no words, columns differ in length, heads are not integers, or a value is not
        a string or cannot be written to CoNLL-U.
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
    columns: tuple[str, ...] = ()
    read_as: tuple[object, ...] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("words", "deprels", "upos", "xpos", "gaps"):
            column = getattr(self, name)
            if isinstance(column, str) or not isinstance(column, Iterable):
                if column is None and name not in ("words", "gaps"):
                    continue
                told = "a single string" if isinstance(column, str) else "not a list"
                raise TreebankError(f"{name} is {told}: {column!r}", hint="give a list of strings")
            put(self, name, tuple(column))
            self._check_column(name)
        if not self.words:
            raise self._fault("a sentence without words", "add a word or leave the sentence out")
        put(self, "gaps", self.gaps or (" ",) * len(self.words))
        if self.heads is not None:
            heads = np.array(self.heads)
            if heads.ndim != 1 or not np.issubdtype(heads.dtype, np.integer):
                what = f"heads of shape {heads.shape} and type {heads.dtype}"
                raise self._fault(what, "give one integer per word")
            heads = heads.astype(np.int32)
            heads.flags.writeable = False
            put(self, "heads", heads)
        for name in ("heads", "deprels", "upos", "xpos", "gaps"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.words):
                what = f"{len(column)} {name} for {counted(len(self.words), 'word')}"
                raise self._fault(what, "give one per word")
        self._check_name()
        # Lines that were read as something else are not this sentence's.
        content = self._content() if self.raw_lines else None
        if self.read_as is None or self.read_as == content:
            put(self, "read_as", content)
        if self.read_as != content or content is None:
            for name in ("raw_lines", "rows", "columns"):
                put(self, name, ())
            put(self, "read_as", None)

    def _check_column(self, name: str) -> None:
        values = getattr(self, name)
        for i, value in enumerate(values):
            if not isinstance(value, str):
                raise self._fault(f"{name}[{i}] is {value!r}, not a string", "give strings")
        if name == "gaps":
            if wrong := set(values) - {"", " "}:
                what = f"a gap between words is {min(wrong)!r}"
                raise self._fault(what, "give a space or nothing")
        elif "" in values or _UNWRITABLE.search("".join(values)):
            i, value = next(
                (i, one) for i, one in enumerate(values) if not one or _UNWRITABLE.search(one)
            )
            what = f"{name}[{i}] is {value!r}, which cannot be written to CoNLL-U"
            hint = "remove empty strings, tabs, line breaks, NULs and lone surrogates"
            raise self._fault(what, hint)

    def _check_name(self) -> None:
        """Hold the name to what the comment that holds it can say."""
        name = self.sent_id
        if name is None:
            return
        if not isinstance(name, str) or _UNWRITABLE.search(name.replace("\t", " ")):
            raise TreebankError(f"sent_id {name!r} is not one line of text")
        if not name or name != name.strip():
            hint = "remove blanks at both ends; None stands for no sent_id"
            raise TreebankError(f"sent_id {name!r} is empty or has blanks at an end", hint=hint)

    def _fault(self, what: str, hint: str) -> TreebankError:
        return TreebankError(what, path=self.path, line=self.line, sent_id=self.sent_id, hint=hint)

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        text = " ".join(self.words)
        shown = text if len(text) <= 40 else text[:39] + "…"
        return f"Sentence({counted(len(self), 'word')}: {shown!r})"

    def _content(self) -> tuple[object, ...]:
        heads = None if self.heads is None else self.heads.tobytes()
        return self.words, heads, self.deprels, self.upos, self.xpos, self.gaps, self.sent_id

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
        """The location of the sentence for messages: file, line and sent_id, as far as known."""
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        name = f"sent_id {self.sent_id!r}" if self.sent_id else None
        return ": ".join(filter(None, (place, name))) or f"the sentence {' '.join(self.words)!r}"
