"""Result rows as a plain table for a terminal: aligned, in per cent, the protocol below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.results.rows import Row, is_of_trees
from structprobe.results.settings import (
    PROTOCOL,
    SETTINGS,
    differing,
    name_banks,
    over_seeds,
    tell_versions,
)
from structprobe.show.behaviour.scoring import scoring_lines
from structprobe.show.row_labels import SCORES, partly_scored, protocols_of

NOTHING = "–"  # stands for a value that is not there
_HEADINGS = {
    **SCORES,
    **{f"dev_{key}": f"dev {label}" for key, label in SCORES.items()},
    "dev_loss": "dev L1", "dev_depth_loss": "dev depth L1", "words_as": "input",
    "cpu_seconds": "CPU s", "wall_seconds": "wall s", "choice": "chosen",
    "train_sentences": "train sentences", "n_train": "train sentences", "n_sentences": "sentences",
    "n_words": "words", "n_seeds": "seeds", "near_word_bias": "near-word bias",
    "codelength": "bits", "n_pairs": "pairs",
}  # fmt: skip
_USUAL = (
    *("method", "suite", "words_as", "layer", "head", "choice", "rank", "seed", "n_seeds"),
    *(*SCORES, "selectivity", "near_word_bias", "codelength", "compression"),
    *("n_pairs", "accuracy", "margin"),
    *("dev_uuas", "dev_loss", "cpu_seconds"),
)
_PLAIN = {"codelength": ",.0f", "compression": ".2f"}  # not in per cent, without an interval
INCOMPARABLE = (
    "the codelengths of different kinds are not comparable, since one tree determines all "
    "n(n - 1)/2 distances and all n depths of a sentence, but these are encoded as if they "
    "were independent"
)
_BEHAVIOUR = (
    "Accuracy: per cent of minimal pairs whose grammatical sentence is preferred, or of SyntaxGym "
    "items in which all predictions hold; margin: mean difference of log-probabilities, in nats; "
    "95% bootstrap intervals over pairs or items in brackets."
)
_FIRST = ("model", "treebank", "part", "punct")  # of the settings that rows may differ in
_OTHERS = tuple(key for key in (*PROTOCOL, *SETTINGS) if key not in _FIRST)
_OF_ONE_RUN = {"key", "seed", "probe"}  # columns with which each run has its own row


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Lay result rows out as a table.

    Parameters
    ----------
    rows : sequence of mapping
        Result rows, keys as in `structprobe.results.rows.ROW_KEYS`.
    columns : sequence of str, optional
        The keys to show, in order. By default the usual ones that some row fills, and the settings
        in which rows differ, such as ``model``, ``treebank``, ``punct`` or ``max_steps``.

    Returns
    -------
    str
        Scores in per cent, with the 95% interval of UUAS in brackets, and ``–`` for missing
        values; below the table, a line for each method without scores, and the protocol. Runs that
        differ only in their seed share a row, with means, standard deviations and the number of
        seeds, unless `columns` has ``"seed"``.

    Examples
    --------
    >>> print(format_table([{"method": "linear", "uuas": 0.4823, "uas": None}], ["method", "uuas"]))
    method  UUAS
    linear  48.2
    """
    rows = name_banks(rows)
    versions = tell_versions(rows)
    if columns is None or not _OF_ONE_RUN & {*columns}:
        rows = over_seeds(rows)
    columns = _filled(rows) if columns is None else columns
    heading = [_HEADINGS.get(column, column) for column in columns]
    lines = [heading, *([_cell(row, column) for column in columns] for row in rows)]
    to_left = [any(isinstance(row.get(column), str) for row in rows) for column in columns]
    of_versions = [f"Rows of several versions: {versions}."] if versions else []
    below = _lines_below(rows, [key for key in columns if key in SCORES])
    return "\n".join([*lay_out(lines, to_left), *below, *of_versions])


def lay_out(lines: Sequence[Sequence[str]], to_left: Sequence[bool]) -> list[str]:
    """Align cells in columns."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(cells, widths, to_left, strict=True)
        ).rstrip()
        for cells in lines
    ]


def _filled(rows: Sequence[Row]) -> list[str]:
    """Give the usual columns that some row fills, and those in which the rows differ."""
    apart = [key for key in differing(rows, (*_FIRST, *_OTHERS)) if key not in _USUAL]
    usual = [*_USUAL[:1], *apart, *_USUAL[1:]]
    # Where nothing was scored the table shows that, but other rows have no trees to score.
    always = {"method", "uuas"} if any(map(is_of_trees, rows)) else set()
    return [key for key in usual if key in always or any(row.get(key) is not None for row in rows)]


def _cell(row: Row, column: str) -> str:
    value = row.get(column)
    if value is None and column == "train_sentences" and row.get("recipe") is not None:
        return "all"
    if value is None and column == "max_steps" and row.get("recipe") is not None:
        return "default"
    if value is None:
        return "original" if column == "words_as" else NOTHING
    if column.removeprefix("dev_") in SCORES or column in ("selectivity", "accuracy"):
        # The interval of UUAS alone, the score that rows are compared by, and of its differences.
        ends: list[Any] = [row.get(f"{column}_{end}") for end in ("low", "high")]
        known = column in ("uuas", "selectivity", "accuracy") and None not in ends
        shown = " [{:z.1f}, {:z.1f}]".format(*(100 * end for end in ends)) if known else ""
        return f"{100 * value:z.1f}{tell_spread(row, column)}{shown}"
    if column == "near_word_bias":
        return tell_bias(row)
    if column == "margin":
        return tell_margin(row)
    if column in _PLAIN:
        spread = row.get(f"{column}_sd")
        told = f"{value:{_PLAIN[column]}}"
        return told if spread is None else f"{told} ± {spread:{_PLAIN[column]}}"
    if column.endswith("_loss"):
        return f"{value:z.4f}"
    if column == "method" and row.get("uses_gold"):
        return f"{value} (uses gold)"
    return f"{value:z.1f}" if isinstance(value, float) else str(value)


def _lines_below(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """Tell why rows are empty, what they were scored on and by which protocols, each once."""
    empty = dict.fromkeys((row["method"], row["why_empty"]) for row in rows if row.get("why_empty"))
    banks = dict.fromkeys(
        (_place(row), row["n_sentences"])
        for row in rows
        if row.get("part") and row.get("n_sentences") is not None
    )
    arcs = dict.fromkeys(
        (row["method"], row["n_without_tree"]) for row in rows if row.get("n_without_tree")
    )
    intervals = any(row.get("uuas_low") is not None for row in rows)
    told = "; 95% bootstrap intervals over sentences in brackets" if intervals else ""
    if any(map(_has_spread, rows)):
        told += "; ± one standard deviation over seeds"
        told += ", beside the means of the intervals' bounds" if intervals else ""
    doubts = Counter(text for row in rows for text in row.get("warnings") or ())
    of_rows = {text: f" ({n} of {len(rows)} rows)" * (n < len(rows)) for text, n in doubts.items()}
    behaviour = [row for row in rows if row.get("accuracy") is not None]
    coded = any(row.get("codelength") is not None for row in rows)
    no_tree = "are not a tree: their arcs are scored as they are"
    ranked = any(row.get(key) is not None for row in rows for key in ("dspr", "nspr"))
    return [
        *(f"{method} has no scores: {why}" for method, why in empty),
        *(f"In {method}, the heads of {counted(n, 'sentence')} {no_tree}." for method, n in arcs),
        *(f"Scored on {bank}, {counted(n, 'sentence')}." for bank, n in banks),
        *partly_scored(rows, metrics),
        *([_BEHAVIOUR, *scoring_lines(behaviour)] if behaviour else []),
        *([f"Codelengths in bits: {INCOMPARABLE}."] if coded else []),
        *(f"In per cent; {one.describe(correlations=ranked)}{told}." for one in protocols_of(rows)),
        *(f"Warning: {text}{share}." for text, share in of_rows.items()),
    ]


def tell_bias(row: Mapping[str, Any]) -> str:
    """Write the near-word bias, with its deviation over seeds and its interval over items."""
    value, low, high = (row[f"near_word_bias{end}"] for end in ("", "_low", "_high"))
    spread = row.get("near_word_bias_sd")
    told = f"{value:z.2f}" if spread is None else f"{value:z.2f} ± {spread:z.2f}"
    return told if low is None or high is None else f"{told} [{low:z.2f}, {high:z.2f}]"


def tell_margin(row: Mapping[str, Any]) -> str:
    """Write the mean margin of minimal pairs, with its interval."""
    value, low, high = (row.get(f"margin{end}") for end in ("", "_low", "_high"))
    if value is None:
        return NOTHING
    told = f"{value:z.2f}"
    return told if low is None or high is None else f"{told} [{low:z.2f}, {high:z.2f}]"


def tell_spread(row: Mapping[str, Any], key: str) -> str:
    """Tell the standard deviation over seeds behind a score, in per cent."""
    spread = row.get(f"{key}_sd")
    return "" if spread is None else f" ± {100 * spread:z.1f}"


def _has_spread(row: Mapping[str, Any]) -> bool:
    return any(row.get(f"{key}_sd") is not None for key in SCORES)


def _place(row: Row) -> str:
    """Name the sentences that a row is scored on."""
    if row["part"] == "held-out":
        return f"the held-out sentences of {row.get('treebank') or 'the training set'}"
    return row.get("treebank") or f"the {row['part']} treebank"
