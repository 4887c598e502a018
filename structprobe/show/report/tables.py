"""The tables of a report: the headline scores, and recall by relation and by length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.results.rows import METRICS, Row
from structprobe.results.settings import PROTOCOL, SETTINGS, differing
from structprobe.scores.breakdowns import Tally
from structprobe.show.report.elements import Child, Markup, element, wide
from structprobe.show.report.saved_predictions import KeptRun
from structprobe.show.row_labels import SCORES
from structprobe.show.table import NOTHING, tell_bias, tell_spread
from structprobe.show.tally_ranges import by_range

_FIRST = ("method", "words_as", "model", "treebank")
_LAST = ("layer", "head", "choice", "rank", "seed", "n_seeds")
_HEADINGS = {"words_as": "input", "choice": "chosen", "n_seeds": "seeds"}
BIAS = "near_word_bias"
_WORDS = ("method", "choice", *PROTOCOL, *SETTINGS)
# The first of each range; the last range is open.
_DISTANCES = (1, 2, 3, 4, 5, 7, 10, 15)
_LENGTHS = (1, 6, 11, 16, 21, 31, 41, 61)


def headline(rows: Sequence[Row], best: Iterable[str] = ()) -> Markup:
    """Make the table of all rows."""
    apart = [key for key in differing(rows) if key not in _FIRST]
    columns = [key for key in _FIRST if _worth_showing(rows, key)]
    columns += apart + [key for key in _LAST if _worth_showing(rows, key)]
    scores = [key for key in METRICS if any(row[key] is not None for row in rows)]
    others = ("selectivity", BIAS, "dev_uuas")
    scores += [key for key in others if any(row[key] is not None for row in rows)]
    heads = [_head(_HEADINGS.get(key, key), number=key not in _WORDS) for key in columns]
    names = {**SCORES, "selectivity": "selectivity", BIAS: "near-word bias", "dev_uuas": "dev UUAS"}
    heads += [_head(names[key], number=True) for key in scores]
    chosen = frozenset(best)
    body = [
        element(
            "tr",
            [_told_cell(row, key) for key in columns],
            [_score_cell(row, key) for key in scores],
            class_="best" if row["key"] in chosen else None,
        )
        for row in rows
    ]
    caption = "Scores in per cent, each above its 95% bootstrap interval over sentences"
    if any(row.get("n_seeds") for row in rows):
        caption += "; means over seeds ± one standard deviation"
    return _table(caption, heads, body, "headline")


def recall_tables(runs: Sequence[KeptRun]) -> list[Markup | None]:
    """Make the tables of recall by relation, by distance and by length of the sentence."""
    scores = [run.scores for run in runs if run.scores is not None]
    by_distance = [by_range(one.by_arc_length, _DISTANCES) for one in scores]
    by_length = [by_range(one.by_sentence_length, _LENGTHS) for one in scores]
    return [
        _recall("the relation of the dependent", "relation", runs, [s.by_deprel for s in scores]),
        _recall("the distance between head and dependent", "distance", runs, by_distance),
        _recall("sentence length in words", "words", runs, by_length),
    ]


def _recall(
    what: str, label: str, runs: Sequence[KeptRun], columns: Sequence[Mapping[str, Tally]]
) -> Markup | None:
    """Make a table of recall, a column a run."""
    if not columns or not columns[0]:
        return None
    keys = list(columns[0])
    if label == "relation":
        keys.sort(key=lambda key: -columns[0][key].total)
    number = None if label == "relation" else "number"
    heads = [_head(label, number=bool(number)), _head("edges", number=True)]
    heads += [_head(run.name.removeprefix("layer "), number=True, title=run.name) for run in runs]
    body = [
        element(
            "tr",
            element("th", key, scope="row", class_=number, data_value=number and place),
            _number(columns[0][key].total, f"{columns[0][key].total:,}"),
            [_share(column[key]) for column in columns],
        )
        for place, key in enumerate(keys)
    ]
    return _table(f"Gold edges recovered, in per cent, by {what}", heads, body, "recall")


def _worth_showing(rows: Sequence[Row], key: str) -> bool:
    """Tell whether a column says anything: what is the foot's to tell only where it differs."""
    values = {row[key] for row in rows if row.get(key) is not None}
    return len(values) > (key in ("model", "treebank", "rank", "seed"))


def _head(label: str, *, number: bool, title: str | None = None) -> Markup:
    """Make the head of a column, a button that sorts by it."""
    button = element("button", label, type="button", title=title)
    return element("th", button, scope="col", class_="number" if number else None)


def _told_cell(row: Row, key: str) -> Markup:
    value: Any = row.get(key)
    if value is None and key == "words_as":
        value = "original"
    if value is None and key == "max_steps" and row["recipe"] is not None:
        value = "default"
    if key == "method":
        name = f"{value} (uses gold)" if row["uses_gold"] else value
        return element("th", name, scope="row")
    shown = NOTHING if value is None else str(value)
    return element("td", shown) if key in _WORDS else _number(value, shown)


def _score_cell(row: Row, key: str) -> Markup:
    value = row[key]
    if value is None:
        return _number(None, NOTHING)
    if key == BIAS:
        return _number(f"{value:.6f}", tell_bias(row))
    ends: list[Any] = [row.get(f"{key}_{end}") for end in ("low", "high")]
    told = None if None in ends else "{:.1f}–{:.1f}".format(*(100 * end for end in ends))
    interval = element("small", told) if told else None
    return _number(f"{value:.6f}", f"{100 * value:.1f}{tell_spread(row, key)}", interval)


def _share(tally: Tally) -> Markup:
    """Write how many of how many, shaded by tens of per cent."""
    share = tally.correct / tally.total
    return _number(f"{share:.6f}", f"{100 * share:.0f}", shade=min(9, int(10 * share)))


def _number(value: object, *children: Child, shade: int | None = None) -> Markup:
    """Make a cell that sorts as a number; None stays at the end."""
    class_ = "number" if shade is None else f"number s{shade}"
    return element("td", *children, class_=class_, data_value=value)


def _table(caption: str, heads: Sequence[Markup], body: Sequence[Markup], kind: str) -> Markup:
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", heads)),
        element("tbody", body),
        class_=f"sortable {kind}",
    )
    return wide(f"Table: {caption}", table)
