"""Result rows as a table: in text, in a notebook, in CSV, or in pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Self, SupportsIndex, overload

from structprobe.errors import ResultError, counted, escaped
from structprobe.results.rows import METRICS, ROW_KEYS, Row, per_cent
from structprobe.results.settings import checked_rows, differing, name_banks

_WHOLE = (
    "layer", "head", "rank", "seed", "max_steps", "n_sentences", "n_words", "min_length",
    "max_length", "steps", "window", "stimuli", "train_sentences", "n_train",
    "n_parameters", "n_pairs",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how formulas of a spreadsheet begin
_OWN = ("key", "choice", "why_empty", "warnings", "probe")  # rarely repeated
_MEASURED = (*METRICS, "selectivity", "near_word_bias", "codelength", "compression", "dev_",
             "accuracy", "margin",             "_seconds")  # fmt: skip

_NAMED = (
    "method",
    "words_as",
    "model",
    "suite",
    "treebank",
    "part",
    "layer",
    "head",
    "rank",
    "seed",
)
_SCORES = (*METRICS, "accuracy", "dev_uuas")


class Rows(list[Row]):
    """Result rows: a list of dicts that is shown as a table."""

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> Row: ...
    @overload
    def __getitem__(self, place: slice, /) -> Self: ...
    def __getitem__(self, place: SupportsIndex | slice, /) -> Row | Self:
        """Return one row, or `Rows` for a slice."""
        if isinstance(place, slice):
            return type(self)(super().__getitem__(place))
        return super().__getitem__(place)

    def to_frame(self) -> Any:
        """Convert the rows to a pandas table, like `structprobe.to_frame`.

        Returns
        -------
        pandas.DataFrame
            One row per run.
        """
        return frame_of(self)

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
        text = "\n".join([self._told(), *filter(None, lines), *self._doubts()])
        return escaped(text, keep="\n")

    def _repr_html_(self) -> str:
        """Show the rows as a table in a notebook."""
        heading, *lines = self._cells()
        table = "".join(
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line) + "</tr>"
            for tag, line in [("th", heading), *(("td", line) for line in lines)]
        )
        below = "".join(f"<p>{escape(text)}</p>" for text in self._doubts())
        return f"<table><caption>{self._told()}</caption>{table}</table>{below}"

    def _doubts(self) -> list[str]:
        """Write the warnings of the rows, each once."""
        texts = dict.fromkeys(text for row in self for text in row.get("warnings") or ())
        return [f"Warning: {text}." for text in texts]

    def _told(self) -> str:
        return f"{counted(len(self), 'row')}, scores in per cent"

    def _cells(self) -> list[list[str]]:
        """Format the descriptive keys and scores that any of the rows has."""

        def cell(key: str, value: Any) -> str:
            return per_cent(value) if key in _SCORES else "–" if value is None else str(value)

        named = name_banks(self)
        apart = (key for key in differing(named) if key not in _NAMED)
        wanted = (*_NAMED, *apart, *_SCORES, "why_empty")
        keys = [key for key in wanted if any(row.get(key) is not None for row in named)]
        return [keys, *([cell(key, row.get(key)) for key in keys] for row in named)]


def frame_of(rows: Iterable[Row]) -> Any:
    """Convert rows to a pandas table; columns keep their types despite missing values."""
    try:
        import pandas
    except ImportError as error:
        hint = "install it with: pip install 'structprobe[pandas]'"
        raise ResultError("pandas is not installed", hint=hint) from error
    table = pandas.DataFrame(checked_rows(rows), columns=list(ROW_KEYS), dtype=object)
    return table.astype({key: kind for key in ROW_KEYS if (kind := kind_of(key)) != "object"})


def kind_of(key: str) -> str:
    """Return the pandas type of a column."""
    if key in _WHOLE or key.endswith("_sentences"):
        return "Int64"
    if key in _OWN:
        return "object"
    if key in ("uses_gold", "bos", "scores_first"):
        return "boolean"
    measured = key.startswith(_MEASURED) or key.endswith(_MEASURED)
    return "float64" if measured and not key.endswith("_fingerprint") else "category"


def as_csv(rows: Sequence[Row], columns: Iterable[str] = ROW_KEYS) -> str:
    """Write rows as a table with a header."""
    text = io.StringIO()
    table = csv.DictWriter(text, [*columns], extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(map(_plain, rows))
    return text.getvalue()


def _plain(row: Row) -> Row:
    """Write a list, such as that of the warnings, as one text."""
    texts = {key: "; ".join(map(str, one)) for key, one in row.items() if isinstance(one, list)}
    return {key: _safe(value) for key, value in (row | texts).items()}


def _safe(value: object) -> object:
    """Keep a text in its row, and a spreadsheet from taking it for a formula."""
    if not isinstance(value, str):
        return value
    return f"'{escaped(value)}" if value.startswith(_FORMULA) else escaped(value)
