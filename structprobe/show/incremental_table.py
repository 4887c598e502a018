"""How trees unfold word by word, as plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.scores.breakdowns import range_names
from structprobe.scores.protocol import Protocol
from structprobe.show.table import NOTHING, lay_out

_COLUMNS = {
    "uuas": "UUAS", "found": "found", "at_once": "at once", "delay": "words until found",
    "stable": "stable", "lost": "lost", "until_lost": "words until lost",
    "edit_overhead": "edit overhead",
}  # fmt: skip
_IN_WORDS = ("delay", "until_lost")
_AFTER = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30)  # words
# The first of each range; the last one is open.
_LENGTHS = (2, 3, 4, 5, 6, 11, 16, 21, 31)
_MOST_RELATIONS = 15

Row = Mapping[str, Any]


def format_incremental(rows: Sequence[Row]) -> str:
    """Lay out the rows of `structprobe.experiments.instruments.incremental.read_incremental`."""
    summary = [["method", *_COLUMNS.values()]]
    summary += [[_name(row), *(_cell(row, key) for key in _COLUMNS)] for row in rows]
    parts = [_laid_out(summary), _by_words_after(rows), _by_length(rows)]
    parts += [_by_relation(row) for row in rows[:1] if row["by_relation"]]
    return "\n\n".join("\n".join(part) for part in [*parts, [*_lines_below(rows)]])


def _name(row: Row) -> str:
    layer = row.get("layer")
    return row["method"] if layer is None else f"{row['method']}, layer {layer}"


def _cell(row: Row, key: str) -> str:
    value, low, high = (row.get(f"{key}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return NOTHING
    shown = [value] if low is None else [value, low, high]
    texts = [f"{one:z.2f}" if key in _IN_WORDS else f"{100 * one:z.1f}" for one in shown]
    return texts[0] if len(texts) == 1 else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _laid_out(lines: Sequence[Sequence[str]]) -> list[str]:
    return lay_out(lines, [True, *(False for _ in lines[0][1:])])


def _in_ranges(
    items: Iterable[Row], key: str, firsts: Sequence[int]
) -> Iterable[tuple[str, list[Row]]]:
    """Gather items by the ranges that begin at `firsts`; omit empty ones."""
    items, ends = list(items), [*firsts[1:], float("inf")]
    for name, first, behind in zip(range_names(firsts), firsts, ends, strict=True):
        if inside := [one for one in items if first <= one[key] < behind]:
            yield name, inside


def _share(parts: Sequence[float], wholes: Sequence[int]) -> str:
    return f"{100 * sum(parts) / sum(wholes):z.1f}" if sum(wholes) else NOTHING


def _by_words_after(rows: Sequence[Row]) -> list[str]:
    """Lay out UUAS at some numbers of words after the later word of an edge."""
    points = [{one["words_after"]: one for one in row["by_words_after"]} for row in rows]
    shown = [after for after in _AFTER if after in points[0]]
    lines = [["words after", *map(str, shown)]]
    lines.append(["gold edges", *(f"{points[0][after]['edges']:,}" for after in shown)])
    for row, own in zip(rows, points, strict=True):
        lines.append([_name(row), *(f"{100 * own[after]['uuas']:z.1f}" for after in shown)])
    return ["UUAS by the number of words after both words of an edge have come", *_laid_out(lines)]


def _by_length(rows: Sequence[Row]) -> list[str]:
    """Lay out recall and precision by the length of the prefix."""
    columns = [dict(_in_ranges(row["by_prefix_length"], "words", _LENGTHS)) for row in rows]
    lines = [["words in the prefix", *columns[0]]]
    for row, by_range in zip(rows, columns, strict=True):
        for name, whole in (("recall", "edges"), ("precision", "predicted")):
            cells = [
                _share([(one["recall"] or 0) * one["edges"] for one in own],
                       [one[whole] for one in own])
                for own in by_range.values()
            ]  # fmt: skip
            lines.append([f"{_name(row)}: {name}", *cells])
        if row["method"] != "linear":
            cells = [
                _share([one["edges"] for one in own], [one["predicted"] for one in own])
                for own in by_range.values()
            ]
            lines.append(["precision, at most", *cells])
    return ["Trees of prefixes by length", *_laid_out(lines)]


def _by_relation(row: Row) -> list[str]:
    """Lay out the most frequent relations."""
    keys = ("uuas", "found", "at_once", "delay", "stable")
    lines = [["relation", "gold edges", *(_COLUMNS[key] for key in keys)]]
    for one in row["by_relation"][:_MOST_RELATIONS]:
        cells = [_cell(one, key) for key in keys]
        lines.append([one["relation"], f"{one['edges']:,}", *cells])
    left = len(row["by_relation"]) - _MOST_RELATIONS
    told = [f"and {left} more relations (--json has all)"] if left > 0 else []
    return [f"Edges by relation ({_name(row)})", *_laid_out(lines), *told]


def _lines_below(rows: Sequence[Row]) -> Iterable[str]:
    """Say what the columns are, and what was read."""
    row = rows[0]
    yield (
        "In per cent, unless in words; 95% bootstrap intervals over sentences in brackets. "
        "UUAS: gold edges in the trees of whole sentences; found: in the tree of any prefix; at "
        "once: in that of the prefix that ends with the later of their words; stable: of the edges "
        "found, those that stay in all longer prefixes; lost: those missing at the end; edit "
        "overhead: changes to trees that were not needed to build the last one."
    )
    yield (
        "Trees of prefixes are compared with the gold edges between words that have come; recall "
        "is over these, precision over the predicted edges, of which at most the given share can "
        "be right."
    )
    how = "each prefix read by itself" if row["restart"] else "sentences read once"
    described = Protocol(row["punct"]).describe(correlations=False)
    yield f"{row['n_sentences']:,} sentences, {row['n_edges']:,} gold edges; {how}; {described}."
    yield from (f"Warning: {text}." for text in row.get("warnings") or ())
