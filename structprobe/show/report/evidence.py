"""The sections about what the scores prove: controls, stimuli, codelengths, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from structprobe.errors import StructprobeError, counted
from structprobe.results.rows import Row
from structprobe.results.saved_runs import read_stimuli
from structprobe.results.settings import SETTINGS, protocol_of, value_of
from structprobe.results.significance import compare_rows
from structprobe.show.report.curves import protocol_curves
from structprobe.show.report.elements import Child, Markup, element, note, section
from structprobe.show.report.saved_predictions import KeptSeries
from structprobe.show.report.series import Series
from structprobe.show.report.tables import (
    BIAS,
    columns_table,
    conditions_table,
    controls_table,
    pairs_table,
    systems_table,
)
from structprobe.show.significance_table import lines_below
from structprobe.show.table import INCOMPARABLE

MOST_SERIES = 4  # whose scores by condition are shown
MOST_PAIRS = 30  # of one group of systems
MOST_GROUPS = 6
_INTERVALS = (
    " Below each score and each difference is its 95% bootstrap interval over sentences, that of a "
    "difference not corrected. "
)
_HOW = {"test": "bootstrap", "correction": "holm", "n": 10_000, "level": 0.95, "random_state": 0}
_CONTROLS = (
    "Controls have the words of the treebank and trees without syntax: by the form of a word, by "
    "its position, or permuted at random. Selectivity is the UUAS of a probe minus that of the "
    "same probe trained on a control and scored on it."
)
_OVER_RANKS = "Selectivity over the ranks of the probe, on the layer that is best on dev:"
_BIAS = (
    "The near-word bias is the growth of the predicted distance with each additional word between "
    "subject and verb, at the same distance in the tree: 0 if predictions depend on the tree "
    "alone, 1 if they are linear distances. It is measured on generated sentences; below it is its "
    "95% bootstrap interval over items."
)
_CONDITIONS = {
    "uuas": "UUAS by condition, in per cent",
    "edge": "Predicted trees with an edge between subject and verb, in per cent",
    "distance": "Predicted distance between subject and verb, which is 1 in the gold trees",
}
_OTHERS = (
    "Columns are runs, and values say what varies; below each score is its 95% bootstrap interval "
    "over items. ",
    element("code", "structprobe stimuli PROBE/"),
    " scores a saved probe by other conditions.",
)


_CODELENGTHS = (
    "Bits of the gold trees of the training set, or of their distances or depths, by an online "
    "code whose probe learns from the sentences before; compression is how many times shorter that "
    f"is than the uniform code. Compare within one kind: {INCOMPARABLE}."
)


def controls_section(rows: Sequence[Row], series: Sequence[Series]) -> Markup | None:
    """Show each probe beside its controls, and the selectivity by layer."""
    real = {_point(row): row for row in rows if row["control"] is None}
    controls: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        if row["control"] is not None and row["uuas"] is not None:
            controls.setdefault(_point(row), {})[row["control"]] = row
    points = [(real[place], own) for place, own in controls.items() if place in real]
    if not points:
        return None
    curves = protocol_curves([one for one in series if one.is_control], ("selectivity",))
    ranks = _over_ranks(points)
    curves += [note(_OVER_RANKS), *protocol_curves(ranks, ("selectivity",))] if ranks else []
    table = controls_table(points)
    return section("controls", "Controls", note(_CONTROLS), table, curves)


def _over_ranks(points: Sequence[tuple[Row, Mapping[str, Row]]]) -> list[Series]:
    """Give the controls of each method over their ranks, on the layer that is best on dev."""
    lines: dict[tuple[Any, ...], list[tuple[Row, Mapping[str, Row]]]] = {}
    for row, own in points:
        method, _, *settings = _line(row)
        lines.setdefault((method, *settings, row["seed"]), []).append((row, own))
    made = []
    for found in lines.values():
        if any(row["dev_uuas"] is None for row, _ in found):
            continue
        layer = max(found, key=lambda both: both[0]["dev_uuas"])[0]["layer"]
        there = sorted((both for both in found if both[0]["layer"] == layer), key=_rank)
        for name in dict.fromkeys(name for _, own in there for name in own):
            rows = [own[name] for _, own in there if name in own]
            told = ", ".join([rows[0]["method"], f"layer {layer}"])
            names = [f"rank {row['rank']}" for row in rows]
            made += [Series(told, rows, names, layered=True, by="rank")] if len(rows) > 1 else []
    return made


def _rank(both: tuple[Row, Mapping[str, Row]]) -> int:
    return int(both[0]["rank"])


def _point(row: Row) -> tuple[Any, ...]:
    """Tell what a run has in common with its controls."""
    return row["layer"], row["head"], row["seed"], row.get("n_seeds"), *_line(row)


def _line(row: Row) -> tuple[Any, ...]:
    """Tell what a run has in common with its controls and with those on other layers and seeds."""
    method = str(row["method"]).partition("-control-")[0]
    settings = (key for key in SETTINGS if key not in ("stimuli", "version"))
    return method, row["rank"], *protocol_of(row), *(value_of(row, key) for key in settings)


def stimuli_section(
    folder: Path, rows: Sequence[Row], series: Sequence[Series], runs: Sequence[Series]
) -> Markup | None:
    """Show the near-word bias, and scores by condition of single runs where they are saved."""
    measured = [row for row in rows if row[BIAS] is not None]
    if not measured:
        return None
    told: list[Child] = [note(_BIAS), columns_table(measured, ("stimuli", BIAS), "Near-word bias")]
    drawn = [
        one for one in series if one.layered and any(row[BIAS] is not None for row in one.rows)
    ]
    told += protocol_curves(drawn, (BIAS,))
    firsts: dict[tuple[Any, ...], Series] = {}  # Of several seeds the first
    for one in sorted(runs, key=lambda one: one.rows[0]["seed"] or 0):
        firsts.setdefault(_line(one.rows[0]), one)
    saved = []
    for one in firsts.values():
        named = zip(one.names, one.rows, strict=True)
        found = [(name, read_stimuli(folder, row["key"])) for name, row in named]
        if there := [both for both in found if both[1]]:
            saved.append((one.name, there))
    told += [note(_OTHERS)] if saved else []
    for name, there in saved[:MOST_SERIES]:
        tables = [conditions_table(there, key, what) for key, what in _CONDITIONS.items()]
        told.append(element("details", element("summary", f"By condition: {name}"), tables))
    if (more := len(saved) - MOST_SERIES) > 0:
        told.append(note(f"Left out: scores by condition of {more:,} more series."))
    return section("stimuli", "Stimuli", told)


def codelength_section(rows: Sequence[Row]) -> Markup | None:
    """Show the codelengths of trees, given the vectors of a layer."""
    if not rows:
        return None
    table = columns_table(rows, ("codelength", "compression"), "Codelengths, by layer and kind")
    return section("codelengths", "Codelengths", note(_CODELENGTHS), table)


def pairs_section(folder: Path, rows: Sequence[Row], kept: Sequence[KeptSeries]) -> Markup | None:
    """Show which layers, methods and models differ, of the runs whose predictions are read."""
    known = {
        run.row["key"]: run.scores
        for one in kept
        for run in one.runs
        if run.scores is not None and run.row["control"] is None
    }
    own = [row for row in rows if row["key"] in known]
    by_key = {row["key"]: row for row in own}
    tables: list[Mapping[str, Any]] = []
    for by in ("layer", "method", "model"):
        try:
            found = compare_rows(folder, own, by, "uuas", _HOW, known, progress=False)
        except StructprobeError:  # nothing to compare by this, or no dev set to choose runs by
            continue
        tables += [table.to_dict() for table in found]
    if not tables:
        return None
    shown = [_differences(table, by_key) for table in tables[:MOST_GROUPS]]
    more = len(tables) - MOST_GROUPS
    left_out = f" Left out: {counted(more, 'more group')} of systems." if more > 0 else None
    (letters, *_) = lines_below(tables[0])
    command = element("code", "structprobe significance DIR/")
    told = note(letters, _INTERVALS, command, " lists all pairs.", left_out)
    return section("differences", "Differences", told, shown)


def _differences(table: Mapping[str, Any], rows: Mapping[str, Row]) -> list[Child]:
    """Show one group of systems, and the pairs of the best one."""
    systems, pairs = table["systems"], table["pairs"]
    best, score = systems[0], "UUAS"
    on_dev = [[rows[key]["dev_uuas"] for key in one["keys"]] for one in systems]
    if not any(None in values for values in on_dev):
        means = [*map(fmean, on_dev)]
        best, score = systems[means.index(max(means))], "UUAS on dev"
    own = [pair for pair in pairs if best["name"] in (pair["a"], pair["b"])][:MOST_PAIRS]
    told = lines_below(table)[1]
    if len(own) < len(pairs):
        told += f" Shown are {len(own)} of {counted(len(pairs), 'pair')}, those of {best['name']}, "
        told += f"which has the highest {score}."
    heading = element("h3", f"{table['name']}: {counted(table['n_sentences'], 'sentence')}")
    return [heading, systems_table(table), pairs_table(own), note(told)]
