"""The tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.results.rows import METRICS, Row
from structprobe.results.settings import PROTOCOL, SETTINGS, differing
from structprobe.scores.breakdowns import RelationScore, Tally, by_range
from structprobe.show.report.elements import Child, Markup, element, wide
from structprobe.show.report.saved_predictions import KeptRun
from structprobe.show.row_labels import SCORES
from structprobe.show.significance_table import p_value, points
from structprobe.show.table import NOTHING

_FIRST = ("method", "words_as", "model", "treebank")
_LAST = ("layer", "head", "choice", "rank", "seed", "n_seeds")
_HEADINGS = {"words_as": "input", "choice": "chosen", "n_seeds": "seeds"}
BIAS = "near_word_bias"
_NAMES = {**SCORES, "selectivity": "selectivity", BIAS: "near-word bias", "dev_uuas": "dev UUAS",
          "codelength": "bits", "compression": "compression", "stimuli": "stimuli",
          "n_pairs": "pairs or items", "accuracy": "accuracy", "margin": "margin"}  # fmt: skip
_ENDS = {"": "value", "_low": "low", "_high": "high", "_sd": "sd"}
# Values that are not shown in per cent: how many digits they have.
_PLAIN = {
    BIAS: 2,
    "distance": 2,
    "codelength": 0,
    "compression": 2,
    "stimuli": 0,
    "n_pairs": 0,
    "margin": 2,
}
_WORDS = ("method", "choice", *PROTOCOL, *SETTINGS)
# The first of each range; the last range is open.
_DISTANCES = (1, 2, 3, 4, 5, 7, 10, 15)
_LENGTHS = (1, 6, 11, 16, 21, 31, 41, 61)


def headline(rows: Sequence[Row], best: Iterable[str] = ()) -> Markup:
    """Make the table of all rows."""
    columns = _told_columns(rows)
    scores = [key for key in METRICS if any(row[key] is not None for row in rows)]
    others = ("selectivity", BIAS, "dev_uuas")
    scores += [key for key in others if any(row[key] is not None for row in rows)]
    heads = [*map(_told_head, columns), *(_head(_NAMES[key], number=True) for key in scores)]
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
    return _table(_caption("Scores in per cent", rows), heads, body, "headline")


def controls_table(points: Sequence[tuple[Row, Mapping[str, Row]]]) -> Markup:
    """Make the table of probes, each beside its controls, by their names."""
    rows = [row for row, _ in points]
    columns = [key for key in _told_columns(rows) if key != "stimuli"]
    names = [*dict.fromkeys(name for _, own in points for name in own)]
    heads = [*map(_told_head, columns), _head(SCORES["uuas"], number=True)]
    for name in names:
        heads += [_head(f"{name}: {key}", number=True) for key in (SCORES["uuas"], "selectivity")]
    nothing = dict.fromkeys(("uuas", "selectivity"))
    body = [
        element(
            "tr",
            [_told_cell(row, key) for key in columns],
            _score_cell(row, "uuas"),
            [_score_cell(own.get(name, nothing), key) for name in names for key in nothing],
        )
        for row, own in points
    ]
    return _table(
        _caption("Probes beside their controls, in per cent", rows), heads, body, "evidence"
    )


def columns_table(rows: Sequence[Row], keys: Sequence[str], caption: str) -> Markup:
    """Make a table of what tells rows apart, and of some of their values."""
    columns = [key for key in _told_columns(rows) if key not in keys]
    heads = [*map(_told_head, columns), *(_head(_NAMES[key], number=True) for key in keys)]
    body = [
        element(
            "tr",
            [_told_cell(row, key) for key in columns],
            [_score_cell(row, key) for key in keys],
        )
        for row in rows
    ]
    return _table(caption, heads, body, "evidence")


def conditions_table(
    runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    key: str,
    caption: str,
    names: tuple[str, str] = ("condition", "value"),
) -> Markup | None:
    """Make a table of one score by condition, a column a run."""
    by_run = [{(one["condition"], one["value"]): one for one in rows} for _, rows in runs]
    places = dict.fromkeys(place for one in by_run for place in one)
    if not any(row.get(key) is not None for one in by_run for row in one.values()):
        return None
    heads = [_head(name, number=False) for name in names]
    heads += [_head(name.removeprefix("layer "), number=True, title=name) for name, _ in runs]
    body = [
        element(
            "tr",
            element("th", condition, scope="row"),
            element("td", value),
            [_score_cell(one.get((condition, value), {}), key) for one in by_run],
        )
        for condition, value in places
    ]
    return _table(caption, heads, body, "evidence")


def pairs_table(pairs: Sequence[Mapping[str, Any]]) -> Markup:
    """Make the table of some pairs of systems, as `SignificanceTable.to_dict` gives them."""
    names = ("difference", "p", "p corrected")
    heads = [_head("pair", number=False), *(_head(name, number=True) for name in names)]
    heads.append(_head("differs", number=False))
    body = [
        element(
            "tr",
            element("th", f"{one['a']} – {one['b']}", scope="row"),
            _number(
                f"{one['difference']:.6f}",
                points(one["difference"]),
                _interval("difference", one["low"], one["high"]),
            ),
            [_number(one[key], p_value(one[key])) for key in ("p_value", "p_corrected")],
            element("td", "yes" if one["differs"] else "no"),
        )
        for one in pairs
    ]
    return _table("Differences in points, each above its 95% interval", heads, body, "evidence")


def systems_table(table: Mapping[str, Any]) -> Markup:
    """Make the table of the systems of a `SignificanceTable`, with their letters."""
    systems = table["systems"]
    heads = [_head("system", number=False), _head(SCORES[table["metric"]], number=True)]
    heads.append(_head("letters", number=False))
    chosen = any(one["chosen"] for one in systems)
    heads += [_head("chosen", number=False)] if chosen else []
    body = [
        element(
            "tr",
            element("th", one["name"], scope="row"),
            _score_cell({f"uuas{end}": one[key] for end, key in _ENDS.items()}, "uuas"),
            element("td", one["letters"]),
            element("td", one["chosen"] or NOTHING) if chosen else None,
        )
        for one in systems
    ]
    return _table(f"Systems by {SCORES[table['metric']]}, in per cent", heads, body, "evidence")


def recall_tables(runs: Sequence[KeptRun]) -> list[Markup | None]:
    """Make the tables of recall by relation, distance and sentence length, and of labelled arcs."""
    scores = [run.scores for run in runs if run.scores is not None]
    by_distance = [by_range(one.by_arc_length, _DISTANCES) for one in scores]
    by_length = [by_range(one.by_sentence_length, _LENGTHS) for one in scores]
    return [
        _recall("the relation of the dependent", "relation", runs, [s.by_deprel for s in scores]),
        _recall("the distance between head and dependent", "distance", runs, by_distance),
        _recall("sentence length in words", "words", runs, by_length),
        _labelled(runs),
    ]


def _labelled(runs: Sequence[KeptRun]) -> Markup | None:
    """Make a table of F1 by relation, a column a run that names relations."""
    found = {
        run.name: run.scores.by_relation
        for run in runs
        if run.scores is not None and run.scores.confusion
    }
    if not found:
        return None
    # In the order of the first run: by the number of gold words, which all runs share.
    n_gold = {name: one.gold for own in found.values() for name, one in own.items()}
    heads = [_head("relation", number=False), _head("gold words", number=True)]
    heads += [_head(name.removeprefix("layer "), number=True, title=name) for name in found]
    body = [
        element(
            "tr",
            element("th", name, scope="row"),
            _number(n, f"{n:,}"),
            [_f1(own.get(name)) for own in found.values()],
        )
        for name, n in n_gold.items()
    ]
    caption = "F1 of words with the correct head and relation, in per cent, by relation"
    return _table(caption, heads, body, "recall")


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


def _told_columns(rows: Sequence[Row]) -> list[str]:
    """List what tells rows apart, and what is told of them in any case."""
    apart = [key for key in differing(rows) if key not in _FIRST]
    columns = [key for key in _FIRST if _worth_showing(rows, key)]
    return columns + apart + [key for key in _LAST if _worth_showing(rows, key)]


def _caption(what: str, rows: Sequence[Row]) -> str:
    told = f"{what}, each above its 95% bootstrap interval over sentences"
    if any(row.get("n_seeds") for row in rows):
        told += "; means over seeds ± one standard deviation, above the means of the bounds"
    return told


def _told_head(key: str) -> Markup:
    return _head(_HEADINGS.get(key, key), number=key not in _WORDS)


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


def _score_cell(row: Mapping[str, Any], key: str) -> Markup:
    value = row.get(key)
    if value is None:
        return _number(None, NOTHING)
    spread = row.get(f"{key}_sd")
    told = _say(key, value) + ("" if spread is None else f" ± {_say(key, spread)}")
    low, high = (row.get(f"{key}_{end}") for end in ("low", "high"))
    interval = None if low is None or high is None else _interval(key, low, high)
    return _number(f"{value:.6f}", told, interval)


def _say(key: str, value: float) -> str:
    return f"{value:z,.{_PLAIN[key]}f}" if key in _PLAIN else f"{100 * value:z.1f}"


def _interval(key: str, low: float, high: float) -> Markup:
    told = _say(key, low), _say(key, high)
    return element("small", "–".join(told) if low >= 0 else f"{told[0]} to {told[1]}")


def _f1(one: RelationScore | None) -> Markup:
    return _number(None, NOTHING) if one is None else _shaded(one.f1)


def _share(tally: Tally) -> Markup:
    return _shaded(tally.correct / tally.total)


def _shaded(share: float) -> Markup:
    """Write a share in per cent, shaded by tens of it."""
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
