"""From a folder to a page, and the page to its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from structprobe.errors import ResultError
from structprobe.output_paths import check_file
from structprobe.probe.saving.save_load import CONFIG, read_config
from structprobe.results.folder import MARKER, read_commands, read_rows
from structprobe.results.interventions import saved_interventions
from structprobe.results.outcomes import read_outcomes
from structprobe.results.rows import BEHAVIOUR, Row, is_of_trees
from structprobe.results.settings import name_banks, over_seeds, tell_seeds
from structprobe.show.behaviour.intervention_section import intervention_section
from structprobe.show.behaviour.outcomes_section import outcomes_section
from structprobe.show.behaviour.section import behaviour_section
from structprobe.show.report.curves import protocol_curves
from structprobe.show.report.elements import Markup, element, note, section
from structprobe.show.report.evidence import (
    codelength_section,
    controls_section,
    pairs_section,
    stimuli_section,
)
from structprobe.show.report.explorer import HOW_TO_KEEP, NO_GOLD, explorer_section, extremes
from structprobe.show.report.finding import findings, leading
from structprobe.show.report.fitted import fitted_page
from structprobe.show.report.foot import results_foot
from structprobe.show.report.packing import Explorer
from structprobe.show.report.page import REPORT_SCRIPTS, is_page, make_page, page_body
from structprobe.show.report.saved_predictions import KeptSeries, read_kept
from structprobe.show.report.series import Series, series_of
from structprobe.show.report.tables import headline, recall_tables
from structprobe.show.row_labels import partly_scored, short_model
from structprobe.treebank.writing import write_text

_KINDS = "name a folder that `structprobe sweep`, `compare` or `fit` wrote"


def write_report(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    title: str | None = None,
    force: bool = False,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Write the page of a folder of results or of a saved probe.

    Parameters
    ----------
    folder : path
        A folder that `sweep`, `compare` or `fit` wrote.
    out : path
        The HTML file.
    title : str, optional
        The title of the page; by default model and treebank.
    force : bool, default=False
        Whether to replace a file that is not an earlier report.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    dict
        ``report``, the file, and ``megabytes``.

    Raises
    ------
    ResultError
        If the folder has no results, or a newer version wrote it; or if the file exists and is not
        a report.
    ProbeError
        If a saved probe is damaged, or a newer version saved it.
    TreebankError
        If the file cannot be written.
    """
    check_page(out, force=force)
    page = build_report(folder, title=title, progress=progress)
    write_text(out, page)
    return {"report": str(out), "megabytes": round(len(page.encode()) / 1e6, 2)}


def check_page(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Refuse a file that must not or cannot be written; an earlier page may be replaced."""
    ending = os.path.splitext(path)[1].lower()
    if ending in (".pdf", ".svg", ".png", ".md", ".tex", ".csv", ".json"):
        hint = "choose a name that ends in .html"
        raise ResultError(f"a report is an HTML page, not {ending}", where=str(path), hint=hint)
    check_file(path, force=force or is_page(path))


def build_report(
    folder: str | os.PathLike[str], *, title: str | None = None, progress: bool | None = None
) -> str:
    """Make the page of a folder of results or of a saved probe.

    Parameters
    ----------
    folder, title, progress
        As for `write_report`.

    Returns
    -------
    str
        HTML that needs nothing from outside.

    Raises
    ------
    ResultError, ProbeError
        As for `write_report`.
    """
    path = Path(folder)
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "no such folder"
        raise ResultError(what, where=str(folder), hint=_KINDS)
    if (path / MARKER).exists():
        return _results_page(path, title, progress)
    if (path / CONFIG).exists():
        return fitted_page(read_config(path), title)
    what = "is neither a results folder nor a saved probe"
    raise ResultError(what, where=str(folder), hint=_KINDS)


def _results_page(folder: Path, title: str | None, progress: bool | None) -> str:
    """Make the page of result rows."""
    every, changed = read_rows(folder), saved_interventions(folder)
    if not every and not changed:
        what = "the results folder is empty"
        if (folder / "heads.json").exists():
            what += " but for the tables and figures of `structprobe heads`"
        raise ResultError(what, where=str(folder), hint=_KINDS)
    named = name_banks(every)
    means = over_seeds(named)
    # Codelengths and behaviour are no scores of trees: they have sections of their own.
    codelengths = [row for row in means if row["codelength"] is not None]
    behaviour = [row for row in means if row["method"] == BEHAVIOUR]
    rows = [row for row in means if is_of_trees(row)]
    series, runs = series_of(rows), series_of(named)
    kept = read_kept(folder, runs, progress)
    packed = Explorer(kept, progress)
    name = title or _title(means or changed)
    n_scored = sum(len(one.rows) for one in runs)
    sections = {
        "scores": ("Scores", _scores_section(rows, series) if rows else None),
        "curves": ("By layer", _curves_section(series)),
        "controls": ("Controls", controls_section(rows, series)),
        "stimuli": ("Stimuli", stimuli_section(folder, rows, series, runs)),
        "codelengths": ("Codelengths", codelength_section(codelengths)),
        "behaviour": ("Behaviour", behaviour_section(folder, behaviour)),
        "outcomes": ("Probe and behaviour", outcomes_section(read_outcomes(folder))),
        "interventions": ("Interventions", intervention_section(changed)),
        "differences": ("Differences", pairs_section(folder, named, kept)),
        "recall": ("By relation and length", _recall_section(kept)),
        "sentences": ("Sentences", explorer_section(kept, packed, n_scored) if kept else None),
        "extremes": ("Worst and best", extremes(kept) if kept else None),
        "made": ("How this was made", results_foot(every, read_commands(folder))),
    }
    there = {name: section for name, section in sections.items() if section[1] is not None}
    links = [element("a", label, href=f"#{name}") for name, (label, _) in there.items()]
    made = there.pop("made")[1]
    main = [*(one for _, one in there.values()), note(HOW_TO_KEEP) if rows and not kept else None]
    told = "structprobe report", name, findings(series), main
    data = {"explorer-data": packed.data} if kept else {}
    body = page_body(*told, nav=links, foot=made)
    return make_page(name, body, scripts=REPORT_SCRIPTS, data=data, blocks=packed.blocks)


def _title(rows: Sequence[Row]) -> str:
    named = [row["model"] for row in rows if row["model"]]
    models = dict.fromkeys(short_model(one) for one in named if "(untrained" not in one)
    banks: dict[str, None] = {}
    for key in ("treebank", "train", "suite"):
        banks = banks or dict.fromkeys(row[key] for row in rows if row.get(key))
    return " on ".join(", ".join(part) for part in (models, banks) if part) or "Trees from a model"


def _scores_section(rows: Sequence[Row], series: Sequence[Series]) -> Markup:
    best = [one.rows[one.best]["key"] for one in leading(series)]
    empty = dict.fromkeys((row["method"], row["why_empty"]) for row in rows if row["why_empty"])
    notes = [note(f"{method} has no scores: {why}") for method, why in empty]
    notes += map(note, partly_scored(rows))
    doubts = dict.fromkeys(text for row in rows for text in row["warnings"] or ())
    notes += [note(f"Warning: {text}.") for text in doubts]
    return section("scores", "Scores", headline(rows, best), notes)


def _curves_section(series: Sequence[Series]) -> Markup | None:
    """Draw the curves of all scores."""
    curves = protocol_curves(series)
    if not curves:
        return None
    rows = [row for one in series for row in one.rows]
    seeds = tell_seeds(row for row in rows if row["layer"] is not None)
    bands = "Bands are 95% intervals"
    if seeds:
        bands = f"Lines are means over {seeds}, bands one standard deviation over seeds"
    told = f"In per cent. {bands}; dashed lines are methods without layers."
    return section("curves", "By layer", note(told), curves)


def _recall_section(kept: Sequence[KeptSeries]) -> Markup | None:
    """Show recall by relation and by length of the first series, beside the methods alone."""
    if not kept:
        return None
    first = kept[0]
    if first.runs[0].scores is None:
        return note(NO_GOLD)
    alone = [
        run
        for one in kept[1:]
        if not one.series.layered
        for run in one.runs
        if run.sentences is first.runs[0].sentences
        and run.scores is not None
        and run.scores.protocol == first.runs[0].scores.protocol
    ]
    runs = [*first.runs, *alone]
    columns = f"{'layers of ' if first.series.layered else ''}{first.series.name}"
    others = ", then the methods without layers" if alone else ""
    told = f"Columns are {columns}{others}. The edges are those that UUAS counts."
    if any(run.scores is not None and run.scores.confusion for run in runs):
        told += " F1 by relation is of all words, as LAS counts them, without subtypes."
    seeds = {run.row["seed"] for one in kept if one.series.layered for run in one.runs}
    if len(seeds) > 1:
        told += f" Of {len(seeds)} seeds, these are of seed {first.runs[0].row['seed']} alone."
    return section("recall", "By relation and by length", note(told), recall_tables(runs))
