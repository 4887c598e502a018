"""Minimal pairs, and the files that hold them: BLiMP's lines of JSON, and any two columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from structprobe.errors import StructprobeError
from structprobe.treebank.sentence import Sentence

# How files name what they hold; the first of each is ours.
_NAMES = {
    "good": ("good", "sentence_good", "grammatical", "sen"),
    "bad": ("bad", "sentence_bad", "ungrammatical", "wrong_sen"),
    "paradigm": ("paradigm", "uid"),
    "phenomenon": ("phenomenon", "linguistics_term"),
    "number": ("number", "pairid"),
}
_HEADER = "name the columns in a first line: good, bad, and if known paradigm, phenomenon"


@dataclass(frozen=True)
class MinimalPair:
    """Two sentences that differ in what makes one of them ungrammatical.

    Attributes
    ----------
    good, bad : str or Sentence
        The grammatical sentence and the ungrammatical one. A made pair has sentences with trees.
    suite, paradigm, phenomenon : str or None
        What the pair belongs to; a paradigm is of one phenomenon, if that is known.
    number : int
        The number of the pair in its paradigm, as in the file if it has one.
    where : str
        The place of the pair, such as ``"pairs.tsv:3"``.
    words : mapping of str to int
        The 1-based positions of named words in the good sentence, such as
        ``{"subject": 2, "verb": 7}``; empty for pairs from files.
    item : int or None
        The number of the item that the pair was made for: the pairs of an item have the same
        content words, and are resampled together.
    """

    good: str | Sentence
    bad: str | Sentence
    suite: str
    paradigm: str
    phenomenon: str | None
    number: int
    where: str
    words: Mapping[str, int] = field(default_factory=dict)
    item: int | None = None

    @property
    def is_equal(self) -> bool:
        """Whether its sentences are the same, so that no model can prefer one."""
        return self.good == self.bad


def read_blimp(text: str, path: str) -> list[MinimalPair]:
    """Read one pair a line, as JSON with the keys of BLiMP."""
    found = []
    for line, content in _lines(text):
        where = f"{path}:{line}"
        try:
            told = json.loads(content)
        except (ValueError, RecursionError) as fault:
            raise StructprobeError(f"not valid JSON: {fault}", where=where) from fault
        if not isinstance(told, dict):
            raise StructprobeError("is not an object with two sentences", where=where)
        known = {str(key).casefold(): value for key, value in told.items()}
        values = {
            name: next((known[key] for key in keys if key in known), None)
            for name, keys in _NAMES.items()
        }
        for name in ("good", "bad"):
            if not isinstance(values[name], str):
                what = f"has no text {f'sentence_{name}'!r}"
                raise StructprobeError(what, where=where, hint=f"keys: {', '.join(told)}")
        given = {name: None if one is None else str(one) for name, one in values.items()}
        found.append(_pair(given, Path(path).parent, path, line))
    return _checked(found, path)


def read_columns(text: str, path: str, *, commas: bool) -> list[MinimalPair]:
    """Read one pair a line, in columns: the good sentence, the bad one, what the header names."""
    rows: Iterator[tuple[int, list[str]]]
    if commas:
        table = csv.reader(io.StringIO(text))
        rows = ((table.line_num, row) for row in table if any(map(str.strip, row)))
    else:
        rows = ((line, content.split("\t")) for line, content in _lines(text))
    names, found = ["good", "bad"], []
    for order, (line, row) in enumerate(rows):
        where = f"{path}:{line}"
        if order == 0 and (header := _header(row)):
            if {"good", "bad"} - set(filter(None, header)):
                what = f"the header names {', '.join(map(repr, row))}"
                raise StructprobeError(what, where=where, hint=_HEADER)
            names = header
            continue
        if len(row) < 2:
            kind, other = ("comma", "tabs in .tsv") if commas else ("tab", "commas in .csv")
            hint = f"separate the good sentence from the bad one by a {kind} ({other} files)"
            raise StructprobeError("1 column instead of two", where=where, hint=hint)
        if len(row) != len(names):
            what = f"{len(row)} columns instead of {len(names)}"
            raise StructprobeError(what, where=where, hint=_HEADER)
        given = {name: one.strip() for name, one in zip(names, row, strict=True) if name}
        found.append(_pair(given, Path(path).stem, path, line))
    found = _checked(found, path)
    first, *others = found
    if " " not in f"{first.good}{first.bad}" and any(" " in str(one.good) for one in others):
        what = f"{first.good!r} and {first.bad!r} look like names of columns"
        raise StructprobeError(what, where=first.where, hint=_HEADER)
    return found


def _header(row: list[str]) -> list[str]:
    """Read the names of columns; nothing where the line is no header."""
    known = {key: name for name, keys in _NAMES.items() for key in keys}
    cells = [one.strip().casefold() for one in row]
    if not {"good", "bad"} & {known.get(one) for one in cells}:
        return []
    return [known.get(one, "") for one in cells]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield line, content.rstrip("\r")


def _pair(given: Mapping[str, str | None], suite: str | Path, path: str, line: int) -> MinimalPair:
    where = f"{path}:{line}"
    for name in ("good", "bad"):
        if not (given[name] or "").strip():
            raise StructprobeError(f"the {name} sentence is empty", where=where)
    number = given.get("number") or ""
    return MinimalPair(
        good=str(given["good"]).strip(),
        bad=str(given["bad"]).strip(),
        suite=suite if isinstance(suite, str) else suite.resolve().name,
        paradigm=given.get("paradigm") or Path(path).stem,
        phenomenon=given.get("phenomenon") or None,
        number=int(number) if number.isdecimal() else line,
        where=where,
    )


def _checked(found: list[MinimalPair], path: str) -> list[MinimalPair]:
    """Refuse a file without pairs, and a paradigm of two phenomena."""
    if not found:
        raise StructprobeError("no pairs: the file is empty", where=path)
    known: dict[str, MinimalPair] = {}
    for one in found:
        other = known.setdefault(one.paradigm, one)
        if other.phenomenon != one.phenomenon:
            what = f"the paradigm {one.paradigm!r} is of {one.phenomenon!r} here, but of "
            what += f"{other.phenomenon!r} in {other.where}"
            raise StructprobeError(what, where=one.where)
    return found
