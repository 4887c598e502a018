"""Checks that a CoNLL-U block is one sentence with one tree; errors give their location.

The columns may be the ten of CoNLL-U, or others that a file of CoNLL-U Plus declares.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from structprobe.errors import TreebankError, counted

BOM = "\ufeff"
COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
ID, FORM, HEAD, DEPREL, DEPS, MISC = 0, 1, 6, 7, 8, 9

_NUMBER = re.compile("0|[1-9][0-9]*")
_RANGE = re.compile("([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_NODE = re.compile(r"(0|[1-9][0-9]*)\.[1-9][0-9]*")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=(.*)", re.DOTALL)

# What makes CoNLL-U of the formats before it: `awk` alone, since it is everywhere.
_AWK = "awk -F'\\t' -v OFS='\\t'"
_FROM_CONLLX = f"""{_AWK} 'NF{{$9=$10="_"}}1'"""
_FROM_CONLL09 = f"""{_AWK} 'NF{{$0=$1OFS$2OFS$3OFS"_"OFS$5OFS"_"OFS$9OFS$11OFS"_"OFS"_"}}1'"""
_CONLL09 = range(14, 1000)  # columns: a column more for each predicate of the sentence

_repr = reprlib.Repr()
_repr.maxstring = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands, to make its errors."""

    path: str | None  # The file
    line: int  # The line, counted from 1, of the block's first line
    sent_id: str | None = None  # The sentence's name, where it is known already

    def fault(self, what: str, row: int, hint: str) -> TreebankError:
        """Make the error for a fault in line `row` (0-based) of the block."""
        return TreebankError(
            what, path=self.path, line=self.line + row, sent_id=self.sent_id, hint=hint
        )


def check_characters(lines: Sequence[str], place: Place) -> None:
    """Refuse bytes that were no UTF-8 (decoded to lone surrogates), and NUL."""
    for row, line in enumerate(lines):
        if line.isascii() and "\0" not in line:
            continue
        if match := _UNREADABLE.search(line):
            code = ord(match[0])
            if code == 0:
                hint = "if the file is UTF-16, convert it to UTF-8"
                raise place.fault("a NUL character", row, hint)
            if 0xDC80 <= code <= 0xDCFF:
                what = f"invalid UTF-8: byte 0x{code - 0xDC00:02X} at character {match.start() + 1}"
            else:
                what = f"lone surrogate U+{code:04X}, which is not a character"
            raise place.fault(what, row, "convert the file to UTF-8")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file, in order, and where the ten of CoNLL-U are among them."""

    names: tuple[str, ...]
    at: tuple[int | None, ...]  # (10,); None where the file lacks the column

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """Locate the ten columns among others."""
        found = {name: i for i, name in enumerate(names)}
        return cls(tuple(names), tuple(map(found.get, COLUMNS)))

    def ten(self, cells: Sequence[str]) -> list[str]:
        """Give the ten columns of a line, `_` for those that the file lacks."""
        return ["_" if i is None else cells[i] for i in self.at]


TEN = Columns.of(COLUMNS)


def declaration(names: Sequence[str]) -> str:
    """Write the comment that declares columns."""
    return f"# global.columns = {' '.join(names)}"


def find_declarations(lines: Sequence[str]) -> list[tuple[int, tuple[str, ...]]]:
    """Find the comments that declare columns: their places and names."""
    matches = [
        (row, _GLOBAL_COLUMNS.match(line.removeprefix(BOM)))
        for row, line in enumerate(lines)
        if "global.columns" in line
    ]
    return [(row, tuple(match[1].split())) for row, match in matches if match]


def declared_columns(
    declared: Sequence[tuple[int, tuple[str, ...]]], known: Columns | None, place: Place
) -> Columns | None:
    """Read which columns a block declares: they hold for the whole file (CoNLL-U Plus)."""
    for row, names in declared:
        told = f"unsupported global.columns: {_repr.repr(' '.join(names))}"
        twice = next((name for name in names if names.count(name) > 1), None)
        missing = [COLUMNS[i] for i in (ID, FORM) if COLUMNS[i] not in names]
        if missing or twice:
            what = f"{told}, {twice} twice" if twice else f"{told}, without {' and '.join(missing)}"
            hint = "name each column once, ID and FORM among them"
            raise place.fault(what, row, hint)
        if known is not None and names != known.names:
            what = f"{told}, behind sentences with the columns {_repr.repr(' '.join(known.names))}"
            raise place.fault(
                what, row, "put sentences with other columns into a file of their own"
            )
        known = Columns.of(names)
    return known


def split_columns(line: str, row: int, place: Place, columns: Columns = TEN) -> list[str]:
    """Split a line into its columns, and give the ten of CoNLL-U."""
    if line.startswith(BOM):
        hint = "remove it; it may only start a file"
        raise place.fault("a byte order mark inside the file", row, hint)
    cells = line.split("\t")
    if len(cells) != len(columns.names):
        wanted = "ten" if columns is TEN else len(columns.names)
        what = f"{counted(len(cells), 'column')} instead of {wanted}: {_repr.repr(line)}"
        hint = "separate columns by tabs and write `_` for missing values"
        if line.isspace():
            hint = "the line between two sentences must be empty"
        elif len(cells) in _CONLL09 and _NUMBER.fullmatch("".join(cells[i] for i in (0, 8))):
            what, hint = "this is CoNLL-2009, not CoNLL-U", f"convert it with: {_FROM_CONLL09}"
        raise place.fault(what, row, hint)
    if "" in cells:
        column = cells.index("")
        name = columns.names[column]
        hint = "every word needs a form" if name == "FORM" else "write `_` for a missing value"
        raise place.fault(f"{name} (column {column + 1}) is empty", row, hint)
    return cells if columns is TEN else columns.ten(cells)


def check_comments(lines: Sequence[str], columns: Columns, place: Place) -> None:
    """Refuse what may be a comment or a word: possible where a line does not begin with an ID."""
    for row, line in enumerate(lines if columns.names[0] != "ID" else ()):
        if line.startswith("#") and line.count("\t") == len(columns.names) - 1:
            what = f"this may be a comment or a word: {_repr.repr(line)}"
            raise place.fault(what, row, "put ID first among the columns")


def check_not_conllx(table: Sequence[tuple[int, list[str]]], place: Place) -> None:
    """Refuse CoNLL-X, whose last two columns are another head and its relation."""
    deps = {cells[DEPS] for _, cells in table} - {"_"}
    if deps and all(map(_NUMBER.fullmatch, deps)):
        row = next(row for row, cells in table if cells[DEPS] != "_")
        what = f"this is CoNLL-X, not CoNLL-U: DEPS is {min(deps)!r}, a head without a relation"
        raise place.fault(what, row, f"convert it with: {_FROM_CONLLX}")


def check_ids(ids: Sequence[tuple[int, str]], place: Place) -> None:
    """Hold the IDs of a sentence to their order: words 1, 2, …, ranges and empty nodes in place."""
    n = minor = range_end = range_row = 0
    opened = False  # a range was opened by the line before
    for row, value in ids:
        if value == str(n + 1):
            n, minor, opened = n + 1, 0, False
        elif value == f"{n}.{minor + 1}" and not opened:
            minor += 1
        elif match := _RANGE.fullmatch(value):
            first, last = int(match[1]), int(match[2])
            if last < first:
                what = f"the range {value!r} is reversed"
                raise place.fault(what, row, "write the smaller ID first")
            if opened or n < range_end:
                what = f"the range {value!r} overlaps the one before it"
                raise place.fault(what, row, "a word can belong to only one multiword token")
            if first != n + 1:
                raise _out_of_order(value, n + 1, row, place)
            range_end, range_row, opened = last, row, True
        elif _NUMBER.fullmatch(value) or _EMPTY_NODE.fullmatch(value):
            raise _out_of_order(value, n + 1, row, place)
        else:
            hint = "write 1, 2, … for words, 1-2 for ranges, 1.1 for empty nodes"
            raise place.fault(f"{_repr.repr(value)} is not a valid ID", row, hint)
    if n == 0:
        hint = "add a word or remove the sentence"
        raise place.fault("a sentence without words", ids[0][0], hint)
    if range_end > n:
        what = f"a range ends at {range_end}, but the last word is {n}"
        raise place.fault(what, range_row, "end the range at its last word")


def _out_of_order(value: str, expected: int, row: int, place: Place) -> TreebankError:
    what = f"ID {_repr.repr(value)} out of order: the next word should be {expected}"
    hint = "number the words of each sentence 1, 2, …, and leave an empty line between sentences"
    return place.fault(what, row, hint)


def check_heads(words: Sequence[tuple[int, list[str]]], place: Place) -> None:
    """Hold the HEADs of a sentence's words to be numbers in its range, or ``_`` throughout."""
    n = len(words)
    hint = f"write the ID of a word, 1 to {n}, or 0 for the root"
    missing = []
    for row, cells in words:
        head = cells[HEAD]
        if head == "_":
            missing.append(row)
        elif not _NUMBER.fullmatch(head):
            raise place.fault(f"HEAD {_repr.repr(head)} is neither a number nor `_`", row, hint)
        elif len(head) > 9 or int(head) > n:
            raise place.fault(f"HEAD {_repr.repr(head)} is out of range", row, hint)
    if 0 < len(missing) < n:
        what = f"HEAD is `_` here, but a number for {n - len(missing)} of {n} words"
        raise place.fault(what, missing[0], "give every word of the sentence a head, or none")


def check_no_heads(others: Sequence[tuple[int, list[str]]], place: Place) -> None:
    """Refuse a HEAD on the lines of ranges and empty nodes, as `check_heads` takes them."""
    for row, cells in others:
        if cells[HEAD] != "_":
            what = f"HEAD {_repr.repr(cells[HEAD])} on {cells[ID]!r}, which is not a word"
            raise place.fault(what, row, "write `_`: only words have heads")
