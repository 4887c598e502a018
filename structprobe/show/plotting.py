"""All pictures that a folder of results allows."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from structprobe.errors import ResultError
from structprobe.results.folder import MARKER, read_rows
from structprobe.results.rows import METRICS
from structprobe.results.saved_runs import (
    has_predictions,
    read_predictions,
    read_sentences,
)
from structprobe.scores.prediction import Prediction
from structprobe.scores.scoring import score
from structprobe.show.heat_map import ALIGNMENT, draw_heat_map
from structprobe.show.pictures.depths import draw_depths
from structprobe.show.pictures.distances import draw_distances
from structprobe.show.pictures.files import write_pictures
from structprobe.show.pictures.layer_curves import draw_layer_curves, has_curve
from structprobe.show.pictures.library import load_matplotlib
from structprobe.show.pictures.principal_axes import draw_principal_axes
from structprobe.show.pictures.rank_grid import draw_rank_grid
from structprobe.show.pictures.recall import draw_recall_by_deprel, draw_recall_by_length
from structprobe.show.pictures.style import axes_or_new, put_title
from structprobe.treebank.sentence import Sentence

_log = logging.getLogger(__name__)
_GRID = ("method", "model", "recipe", "treebank", "part")
_SHOWN_LENGTHS = range(8, 21)  # of the sentence that is drawn where none is named


def plot_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("pdf",),
    sentence: str | None = None,
    force: bool = False,
    progress: bool | None = None,
) -> list[Path]:
    """Draw all pictures that a folder of results allows.

    From rows: ``layers-SCORE`` where a method has several layers, ``ranks`` where it has several
    ranks (``ranks-1`` and so on, where there are grids of several methods, models or treebanks).
    From kept predictions, those of the run with the best UUAS that have distances and gold trees:
    ``recall-by-deprel``, ``recall-by-length``; and of one sentence ``distances``, ``depths`` and
    ``principal-axes``. From what `structprobe heads` wrote: ``heads``.

    Parameters
    ----------
    folder : path
        A folder that `sweep`, `compare` or `heads` wrote; nothing in it is changed.
    out : path
        The folder for the pictures; made where it does not exist.
    formats : sequence of {"pdf", "svg", "png"}
        One file each.
    sentence : str, optional
        The sent_id of the sentence to draw; else the first of 8 to 20 words, or the first of all.
    force : bool, default=False
        Whether to replace pictures that exist.
    progress : bool, optional
        Whether to draw a bar on stderr; by default where that is a terminal.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed; the folder is none of ours, of a newer format, damaged, or
        allows no picture; there is no such sentence; a picture exists; or `out` cannot be written.
    """
    load_matplotlib()
    if not (Path(folder) / MARKER).is_file():
        raise ResultError(
            "no results here" if os.path.lexists(folder) else "no such folder",
            where=str(folder),
            hint="name a folder that sweep, compare or heads wrote",
        )
    rows = read_rows(folder)
    figures = {**_from_rows(rows), **_from_predictions(folder, rows, sentence)}
    figures |= _from_heads(Path(folder) / "heads.json")
    if not figures:
        raise ResultError(
            "nothing to draw: no method with several layers, no kept predictions with distances "
            "and gold trees, and no heads",
            where=str(folder),
            hint="run a sweep over layers, or compare again, without --no-keep-predictions",
        )
    return write_pictures(figures, out, formats=formats, force=force, progress=progress)


def _from_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw curves and grids."""
    written = [row for row in rows if row.get("words_as") is None]
    figures = {
        f"layers-{metric}": draw_layer_curves(written, metric).figure
        for metric in METRICS
        if has_curve(written, metric)
    }
    grids = [
        own
        for own in _groups([row for row in written if row.get("rank") and row.get("uuas")])
        if len({row["rank"] for row in own}) > 1
    ]
    for number, own in enumerate(grids, start=1):
        name = "ranks" if len(grids) == 1 else f"ranks-{number}"
        figures[name] = draw_rank_grid(own).figure
    return figures


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Part rows by the grid that they belong to."""

    def grid(row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row.get(key)) for key in _GRID)

    return [list(own) for _, own in groupby(sorted(rows, key=grid), grid)]


def _from_predictions(
    folder: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], sent_id: str | None
) -> dict[str, Any]:
    """Draw recall, and one sentence, of the best run."""
    found = _best(folder, rows)
    if found is None:
        _log.warning("no pictures of sentences: no run keeps predictions with distances and gold")
        return {}
    row, sentences, predictions = found
    figures: dict[str, Any] = {}
    scores = score(sentences, predictions, punct=row["punct"])
    if scores.by_deprel:
        figures["recall-by-deprel"] = draw_recall_by_deprel(scores, row=row).figure
    if scores.by_arc_length:
        figures["recall-by-length"] = draw_recall_by_length(scores, row=row).figure
    index = _chosen(sentences, sent_id)
    one, prediction = sentences[index], predictions[index]
    assert one.heads is not None
    assert prediction.distances is not None
    told = one.words, one.heads, prediction.distances
    row = {**row, "sent_id": one.sent_id}
    figures["distances"] = draw_distances(*told, row=row)[0].figure
    figures["principal-axes"] = draw_principal_axes(*told, prediction.heads, row=row).figure
    if prediction.depths is not None:
        figures["depths"] = draw_depths(one.words, one.heads, prediction.depths, row=row).figure
    return figures


def _best(
    folder: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], list[Sentence], list[Prediction]] | None:
    """Give the run with the best UUAS of those with distances and gold, and what it keeps."""
    kept = [
        row
        for row in rows
        if row.get("uuas") is not None
        and not row.get("uses_gold")
        and has_predictions(folder, row["key"])
    ]
    for row in sorted(kept, key=lambda row: -row["uuas"]):
        sentences = read_sentences(folder, row["key"])
        predictions = [prediction for _, prediction in read_predictions(folder, row["key"])]
        if all(one.heads is not None for one in sentences) and all(
            one.distances is not None for one in predictions
        ):
            return row, sentences, predictions
    return None


def _chosen(sentences: Sequence[Sentence], sent_id: str | None) -> int:
    """Give the index of the sentence to draw."""
    if sent_id is None:
        fitting = (i for i, one in enumerate(sentences) if len(one) in _SHOWN_LENGTHS)
        return next(fitting, 0)
    for index, one in enumerate(sentences):
        if one.sent_id == sent_id:
            return index
    raise ResultError(f"no sentence has the sent_id {sent_id!r}")


def _from_heads(path: Path) -> dict[str, Any]:
    """Draw the dependency alignment of attention heads."""
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_bytes())
        shape = tuple(max(one[key] for one in told["heads"]) for key in ("layer", "head"))
        table = np.full(shape, np.nan)
        for one in told["heads"]:
            table[one["layer"] - 1, one["head"] - 1] = one["alignment"] or np.nan
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(f"does not tell of heads: {error!r}", where=str(path)) from error
    axes = draw_heat_map(table, ax=axes_or_new(None, 5.6, 4.2))
    put_title(axes, ALIGNMENT, [told])
    return {"heads": axes.figure}
