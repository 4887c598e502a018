"""From a folder to a page, and the page to its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from structprobe.output_paths import check_file
from structprobe.results.rows import Row
from structprobe.show.report.curves import draw_curves
from structprobe.show.report.elements import Markup, element, join
from structprobe.show.report.explorer import (
    HOW_TO_KEEP,
    NO_GOLD,
    explorer_section,
    extremes_section,
)
from structprobe.show.report.finding import findings, leading
from structprobe.show.report.fitted import fitted_page
from structprobe.show.report.foot import results_foot
from structprobe.show.report.packing import Explorer
from structprobe.show.report.page import REPORT_SCRIPTS, is_page, make_page
from structprobe.show.report.saved_predictions import KeptRun, KeptSeries, read_kept
from structprobe.show.report.series import Series, series_of
from structprobe.show.report.source import FittedProbe, Results, read_source
from structprobe.show.report.tables import (
    by_arc_length,
    by_relation,
    by_sentence_length,
    headline,
)
from structprobe.show.treebank_labels import name_banks
from structprobe.treebank.writing import write_text


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
        What `sweep`, `compare` or `fit` wrote.
    out : path
        The HTML file.
    title : str, optional
        The title of the page; the model's and the treebank's name unless given.
    force : bool, default=False
        Whether to replace a file that is not an earlier report.
    progress : bool, optional
        Whether to show progress bars on stderr; by default if that is a terminal.

    Returns
    -------
    dict
        ``report``, the file, and ``megabytes``.

    Raises
    ------
    ResultError
        If the folder holds no results, or a newer version wrote it; or if the file exists and is
        not a report.
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
    ResultError
        If the folder holds no result, or a newer version wrote it.
    ProbeError
        If a saved probe is damaged, or a newer version saved it.
    """
    source = read_source(folder)
    if isinstance(source, FittedProbe):
        return fitted_page(source.config, title)
    return _results_page(source, title, progress)


def _results_page(source: Results, title: str | None, progress: bool | None) -> str:
    """Make the page of result rows."""
    rows = name_banks(source.rows)
    series = series_of(rows)
    kept = read_kept(source.folder, series, progress)
    packed = Explorer(kept, progress)
    name = title or _title(rows)
    n_scored = sum(len(one.rows) for one in series)
    sections = {
        "scores": ("Scores", _scores_section(rows, series)),
        "curves": ("By layer", _curves_section(series)),
        "recall": ("By relation and length", _recall_section(kept)),
        "sentences": ("Sentences", explorer_section(kept, packed, n_scored) if kept else None),
        "extremes": ("Worst and best", extremes_section(kept) if kept else None),
        "made": ("How this was made", results_foot(source.rows, source.commands)),
    }
    there = {name: section for name, section in sections.items() if section[1] is not None}
    links = [element("a", label, href=f"#{name}") for name, (label, _) in there.items()]
    made = there.pop("made")[1]
    body = join(
        _header(name, series, links),
        element(
            "main",
            [section for _, section in there.values()],
            None if kept else element("p", HOW_TO_KEEP, class_="note"),
            id="content",
            tabindex=-1,
        ),
        element("footer", made),
    )
    data = {"explorer-data": packed.data} if kept else {}
    return make_page(name, body, scripts=REPORT_SCRIPTS, data=data, blocks=packed.blocks)


def _header(name: str, series: Sequence[Series], links: Sequence[Markup]) -> Markup:
    """Say what this is, and what came out of it, in a line or two."""
    return element(
        "header",
        element("p", "structprobe report", class_="kicker"),
        element("h1", name),
        [element("p", told, class_="finding") for told in findings(series)],
        element("nav", links, aria_label="Sections"),
    )


def _title(rows: Sequence[Row]) -> str:
    """Name a report by its models and treebanks."""
    models = dict.fromkeys(
        "/".join(str(row["model"]).rstrip("/").split("/")[-2:])
        for row in rows
        if row["model"] and "(untrained" not in row["model"]
    )
    banks = dict.fromkeys(row["treebank"] for row in rows if row["treebank"])
    named = [", ".join(part) for part in (models, banks) if part]
    return " on ".join(named) or "Trees out of a model"


def _scores_section(rows: Sequence[Row], series: Sequence[Series]) -> Markup:
    """Show the headline table, and why rows are empty."""
    best = [one.rows[one.best]["key"] for one in leading(series)]
    empty = dict.fromkeys((row["method"], row["why_empty"]) for row in rows if row["why_empty"])
    return element(
        "section",
        element("h2", "Scores", id="scores"),
        headline(rows, best),
        [element("p", f"{method} has no scores: {why}", class_="note") for method, why in empty],
        aria_labelledby="scores",
    )


def _curves_section(series: Sequence[Series]) -> Markup | None:
    """Show scores by layer, where there are layers."""
    firsts = [one.rows[0] for one in series]
    banks = {row["treebank_fingerprint"]: str(row["treebank"]) for row in firsts}
    drawn = {
        bank: draw_curves([one for one in series if one.rows[0]["treebank_fingerprint"] == bank])
        for bank in banks
    }
    curves = [
        [element("h3", banks[bank]) if len(banks) > 1 else None, panels]
        for bank, panels in drawn.items()
        if panels is not None
    ]
    if not curves:
        return None
    told = (
        "In per cent. Bands are 95 % intervals; dashed lines are methods without layers, each with "
        "its score."
    )
    return element(
        "section",
        element("h2", "By layer", id="curves"),
        element("p", told, class_="note"),
        curves,
        aria_labelledby="curves",
    )


def _recall_section(kept: Sequence[KeptSeries]) -> Markup | None:
    """Show recall by relation and by length of the first series, beside the methods alone."""
    if not kept:
        return None
    first = kept[0]
    if first.runs[0].scores is None:
        return element("p", NO_GOLD, class_="note")
    runs = [*first.runs, *_alone(kept, first.runs[0])]
    name = first.series.name
    columns = f"layers of {name}" if first.series.layered else name
    told = (
        f"Columns are {columns}"
        + (", then the methods without layers" if len(runs) > len(first.runs) else "")
        + ". The edges are those that UUAS counts."
    )
    return element(
        "section",
        element("h2", "By relation and by length", id="recall"),
        element("p", told, class_="note"),
        by_relation(runs),
        by_arc_length(runs),
        by_sentence_length(runs),
        aria_labelledby="recall",
    )


def _alone(kept: Sequence[KeptSeries], first: KeptRun) -> list[KeptRun]:
    """Give the runs without layers on the same sentences."""
    return [
        run
        for one in kept[1:]
        if not one.series.layered
        for run in one.runs
        if run.sentences is first.sentences
        and run.scores is not None
        and first.scores is not None
        and run.scores.protocol == first.scores.protocol
    ]
