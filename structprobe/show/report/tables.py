"""The tables of a report: the headline scores, and recall by relation and by length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from structprobe.results.rows import METRICS, Row
from structprobe.scores.breakdowns import Tally
from structprobe.scores.result import Scores
from structprobe.show.columns import NOTHING
from structprobe.show.report.curves import LABELS
from structprobe.show.report.elements import Child, Markup, element
from structprobe.show.report.saved_predictions import KeptRun

_TOLD = {
    "method": "method",
    "words_as": "input",
    "model": "model",
    "treebank": "treebank",
    "layer": "layer",
    "head": "head",
    "choice": "chosen",
    "rank": "rank",
    "seed": "seed",
}
_WORDS = ("method", "words_as", "model", "treebank", "choice")
_BINS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 9), (10, 14), (15, 10**9))
_LENGTHS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, 40), (41, 60), (61, 10**9))


def headline(rows: Sequence[Row], best: Iterable[str] = ()) -> Markup:
    """Make the table of all rows."""
    columns = [key for key in _TOLD if _worth_showing(rows, key)]
    scores = [key for key in METRICS if any(row[key] is not None for row in rows)]
    scores += [key for key in ("dev_uuas",) if any(row[key] is not None for row in rows)]
    heads = [_head(_TOLD[key], number=key not in _WORDS) for key in columns]
    heads += [_head(_score_name(key), number=True) for key in scores]
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
    caption = "Scores in per cent, each above its 95 % bootstrap interval over sentences"
    return _table(caption, heads, body, "headline")


def by_relation(runs: Sequence[KeptRun]) -> Markup | None:
    """Make the table of recall by relation."""
    return _recall(
        "Gold edges recovered, in per cent, by the relation of the dependent",
        "relation",
        runs,
        lambda scores: scores.by_deprel,
    )


def by_arc_length(runs: Sequence[KeptRun]) -> Markup | None:
    """Make the table of recall by the distance between an edge's ends."""
    return _recall(
        "Gold edges recovered, in per cent, by the distance between head and dependent",
        "distance",
        runs,
        lambda scores: _binned(scores.by_arc_length, _BINS),
    )


def by_sentence_length(runs: Sequence[KeptRun]) -> Markup | None:
    """Make the table of recall by the length of the sentence."""
    return _recall(
        "Gold edges recovered, in per cent, by sentence length in words",
        "words",
        runs,
        lambda scores: _binned(scores.by_sentence_length, _LENGTHS),
    )


def _recall(
    caption: str,
    label: str,
    runs: Sequence[KeptRun],
    tallies: Callable[[Scores], Mapping[str, Tally]],
) -> Markup | None:
    """Make a table of recall, a column a run."""
    columns = [tallies(run.scores) for run in runs if run.scores is not None]
    if not columns or not columns[0]:
        return None
    keys = list(columns[0])
    if label == "relation":
        keys.sort(key=lambda key: -columns[0][key].total)
    heads = [_head(label, number=label != "relation"), _head("edges", number=True)]
    heads += [_head(_short(run.name), number=True, title=run.name) for run in runs]
    body = [
        element(
            "tr",
            element(
                "th",
                key,
                scope="row",
                class_=None if label == "relation" else "number",
                data_value=None if label == "relation" else place,
            ),
            _number(columns[0][key].total, f"{columns[0][key].total:,}"),
            [_share(column[key]) for column in columns],
        )
        for place, key in enumerate(keys)
    ]
    return _table(caption, heads, body, "recall")


def _binned(tallies: Mapping[int, Tally], bins: Sequence[tuple[int, int]]) -> dict[str, Tally]:
    """Add up tallies by ranges of their key, leaving out empty ones."""
    found = {}
    for first, last in bins:
        inside = [tally for key, tally in tallies.items() if first <= key <= last]
        name = f"{first}+" if last >= 10**9 else str(first) if first == last else f"{first}–{last}"
        if inside:
            found[name] = Tally(sum(t.correct for t in inside), sum(t.total for t in inside))
    return found


def _worth_showing(rows: Sequence[Row], key: str) -> bool:
    """Tell whether a column says anything: what is the foot's to tell only where it differs."""
    values = {row[key] for row in rows if row[key] is not None}
    return len(values) > (key in ("model", "treebank", "rank", "seed"))


def _score_name(key: str) -> str:
    return f"dev {LABELS[key[4:]]}" if key.startswith("dev_") else LABELS[key]


def _short(name: str) -> str:
    return name.removeprefix("layer ")


def _head(label: str, *, number: bool, title: str | None = None) -> Markup:
    """Make the head of a column, a button that sorts by it."""
    button = element("button", label, type="button", title=title)
    return element("th", button, scope="col", class_="number" if number else None)


def _told_cell(row: Row, key: str) -> Markup:
    """Write what a row tells of its run."""
    value: Any = row[key]
    if key == "words_as" and value is None:
        value = "original"
    if key == "method":
        name = f"{value} (uses gold)" if row["uses_gold"] else value
        return element("th", name, scope="row")
    shown = NOTHING if value is None else str(value)
    return element("td", shown) if key in _WORDS else _number(value, shown)


def _score_cell(row: Row, key: str) -> Markup:
    """Write a score over its interval."""
    value = row[key]
    if value is None:
        return _number(None, NOTHING)
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    interval = None
    if low is not None and high is not None:
        interval = element("small", f"{100 * low:.1f}–{100 * high:.1f}")
    return _number(f"{value:.6f}", f"{100 * value:.1f}", interval)


def _share(tally: Tally) -> Markup:
    """Write how many of how many, shaded by tens of per cent."""
    share = tally.correct / tally.total
    return _number(f"{share:.6f}", f"{100 * share:.0f}", shade=min(9, int(10 * share)))


def _number(value: object, *children: Child, shade: int | None = None) -> Markup:
    """Make a cell that sorts as a number; None stays at the end."""
    class_ = "number" if shade is None else f"number s{shade}"
    return element("td", *children, class_=class_, data_value=value)


def _table(caption: str, heads: Sequence[Markup], body: Sequence[Markup], kind: str) -> Markup:
    """Make a table in a box that scrolls by itself where it is too wide."""
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", heads)),
        element("tbody", body),
        class_=f"sortable {kind}",
    )
    return element(
        "div", table, class_="wide", tabindex=0, role="region", aria_label=f"Table: {caption}"
    )
