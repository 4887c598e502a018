"""What a language model prefers, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.behaviour.scoring import scoring_lines
from structprobe.show.table import NOTHING, lay_out

_HEADINGS = {
    "suite": "suite", "phenomenon": "phenomenon", "paradigm": "paradigm", "n": "n",
    "accuracy": "accuracy", "margin": "margin", "ties": "ties",
}  # fmt: skip
_TEXTS = ("suite", "phenomenon", "paradigm")
ALIKE = (
    "An interval without width means that all pairs or items had the same outcome, not that "
    "the share is certain."
)


def format_behaviour(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what `Behaviour.values` gives for each row."""
    suites = {row["suite"] for row in rows}
    keys = [key for key in _HEADINGS if any(_cell(row, key) not in (NOTHING, "0") for row in rows)]
    there = {"suite": len(suites) > 1, "phenomenon": any(row["phenomenon"] for row in rows)}
    keys = [key for key in keys if there.get(key, True)]
    lines = [[_HEADINGS[key] for key in keys]]
    lines += [[_cell(row, key) for key in keys] for row in rows]
    return "\n".join([*lay_out(lines, [key in _TEXTS for key in keys]), *_below(rows)])


def _cell(row: Mapping[str, Any], key: str) -> str:
    if key == "paradigm":
        if row["formula"] is not None:
            return f"{row['paradigm']}: {row['formula']}"
        return row["paradigm"] or "all"
    if key == "phenomenon" and row["level"] == "all":
        return "all"
    value = row[key]
    if value is None:
        return NOTHING
    if key not in ("accuracy", "margin"):
        return f"{value:,}" if isinstance(value, int) else str(value)
    form = _per_cent if key == "accuracy" else "{:z.2f}".format
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return form(value) + ("" if low is None else f" [{form(low)}, {form(high)}]")


def _per_cent(share: float) -> str:
    return f"{100 * share:z.1f}"


def _below(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell what the numbers are, how they were made, and what to know of single ones."""
    scored = [row for row in rows if row["accuracy"] is not None]
    pairs = any(row["margin"] is not None for row in scored)
    told = ["Per cent"]
    if pairs:
        told.append(
            " of pairs whose grammatical sentence has the higher score (a tie does not count); "
            "margin: mean difference of the two scores, in nats"
        )
    if any(row["ties"] is None for row in scored):
        told.append(
            f"{'; of SyntaxGym suites, per cent' if pairs else ''} of items in which all "
            "predictions hold, or the one that is named, with the surprisals of regions in bits "
            "(= within 0.001 bits)"
        )
    told.append("; 95% bootstrap intervals over pairs or items in brackets.")
    lines = ["".join(told)]
    for row in scored:
        mean = row["mean_accuracy"]
        if row["level"] == "all" and mean is not None:
            lines.append(f"{row['suite']}: the mean of its paradigms is {_per_cent(mean)}.")
    lines += scoring_lines(scored)
    if any(row["accuracy_low"] is not None and row["accuracy_low"] == row["accuracy_high"]
           for row in scored):  # fmt: skip
        lines.append(ALIKE)
    for row in rows:
        name = f"{row['suite']}, {row['paradigm'] or row['phenomenon'] or 'all'}"
        if row["why_empty"] is not None:
            lines.append(f"{name} has no scores: {row['why_empty']}.")
        lines += [f"{name}: {one}." for one in row["notes"]]
    return list(dict.fromkeys(lines))
