"""The section of the report about behaviour: minimal pairs and SyntaxGym suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from structprobe.results.rows import Row
from structprobe.results.saved_runs import read_stimuli
from structprobe.results.settings import differing, tell_settings
from structprobe.show.behaviour.scoring import scoring_lines
from structprobe.show.behaviour.table import ALIKE
from structprobe.show.report.elements import Child, Markup, element, note, section
from structprobe.show.report.tables import columns_table, conditions_table
from structprobe.show.row_labels import short_model
from structprobe.stimuli.suites.scoring import ALL

_WHAT = (
    "Share of minimal pairs whose grammatical sentence a language model prefers, or of the items "
    "of SyntaxGym suites in which all predictions hold; chance is 50% for pairs. The margin is the "
    "mean difference of the log-probabilities of the two sentences, in nats; chance is 0. Below "
    "each number is its 95% bootstrap interval over pairs or items."
)
_NAMES = ("phenomenon", "paradigm")
_SHARE = "Preferred pairs or items, in per cent"


def behaviour_section(folder: Path, rows: Sequence[Row]) -> Markup | None:
    """Show the accuracy of each suite, by phenomenon, and by paradigm where that is unfolded."""
    if not rows:
        return None
    scored = [row for row in rows if row["accuracy"] is not None]
    told: list[Child] = [note(_WHAT)]
    if scored:
        keys = ("n_pairs", "accuracy", "margin")
        told.append(columns_table(scored, keys, f"{_SHARE}, each above its 95% interval"))
    for suite in dict.fromkeys(row["suite"] for row in scored):
        own = [row for row in scored if row["suite"] == suite]
        runs = [(name, read_stimuli(folder, row["key"]))
                for name, row in zip(_names(own), own, strict=True)]  # fmt: skip
        told += _of_suite(suite, [both for both in runs if both[1]])
    told += map(note, scoring_lines(scored))
    if any(map(_is_alike, scored)):
        told.append(note(ALIKE))
    empty = dict.fromkeys((row["suite"], row["why_empty"]) for row in rows if row["why_empty"])
    told += [note(f"{suite} has no scores: {why}") for suite, why in empty]
    doubts = dict.fromkeys(text for row in rows for text in row["warnings"] or ())
    told += [note(f"Warning: {text}.") for text in doubts]
    return section("behaviour", "Behaviour", told)


def _of_suite(suite: str, runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[Child]:
    """Show a suite by phenomenon, and fold its paradigms."""
    if not runs:
        return []
    whole = [(name, [row for row in rows if row["value"] == ALL]) for name, rows in runs]
    several = any(len(rows) > 1 for _, rows in whole)
    caption = f"{_SHARE}: {suite}, by phenomenon"
    parts = [conditions_table(runs, key, f"{what}: {suite}, by paradigm", _NAMES)
             for key, what in (("accuracy", _SHARE), ("margin", "Margin in nats"))]  # fmt: skip
    told = element("details", element("summary", f"By paradigm: {suite}"), parts)
    return [conditions_table(whole, "accuracy", caption, _NAMES) if several else None, told]


def _names(rows: Sequence[Row]) -> list[str]:
    """Name the runs of a suite by their model, and by what else they differ in."""
    apart = [key for key in differing(rows) if key != "model"]
    return [", ".join([short_model(str(row["model"])), *tell_settings(row, apart)]) for row in rows]


def _is_alike(row: Row) -> bool:
    """Whether the interval of a row has no width."""
    return row["accuracy_low"] is not None and row["accuracy_low"] == row["accuracy_high"]
