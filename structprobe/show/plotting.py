"""All figures and trees that a results folder allows."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from structprobe.draw import draw_svg
from structprobe.errors import Hint, ResultError, StructprobeError
from structprobe.results.folder import MARKER, read_rows
from structprobe.results.rows import METRICS, Row
from structprobe.results.saved_runs import has_predictions, read_predictions, read_sentences
from structprobe.results.settings import (
    PROTOCOL,
    differing,
    name_banks,
    over_seeds,
    tell_settings,
)
from structprobe.results.significance import significance
from structprobe.scores.prediction import Prediction
from structprobe.scores.scoring import score
from structprobe.show.pictures.depths import draw_depths
from structprobe.show.pictures.distances import draw_distances
from structprobe.show.pictures.files import check_figures, write_pictures
from structprobe.show.pictures.heat_map import ALIGNMENT, draw_heat_map
from structprobe.show.pictures.layer_curves import (
    draw_layer_curves,
    draw_learning_curves,
    has_curve,
)
from structprobe.show.pictures.library import load_matplotlib
from structprobe.show.pictures.principal_axes import draw_principal_axes
from structprobe.show.pictures.rank_grid import draw_rank_grid
from structprobe.show.pictures.recall import draw_recall_by_deprel, draw_recall_by_length
from structprobe.show.pictures.style import axes_or_new, put_title
from structprobe.show.pictures.trees import choose_sentence, scored_note, tree_name, typical
from structprobe.stored_files import MAX_JSON, parse_json, read_stored
from structprobe.treebank.sentence import Sentence

_log = logging.getLogger(__name__)
MAX_HEADS = 4096  # layers, and heads in one; a file that may come from anyone claims no more
_GRID = ("model", "recipe", "treebank", "part")
_TITLED = (*PROTOCOL, "model")  # what a title tells in any case


def plot_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("pdf",),
    sentence: str | None = None,
    letters: bool = False,
    force: bool = False,
    progress: bool | None = None,
) -> list[Path]:
    """Draw all figures and trees that a results folder allows.

    From rows: ``layers-SCORE`` and, of samples of the training set, ``learning-SCORE``, with a
    panel for each treebank and protocol, and ``ranks`` (``ranks-1`` and so on for several methods,
    models, treebanks or settings). From the saved
    predictions of the run that is best on dev (on the scored part, if there are no scores on dev):
    ``recall-by-deprel`` and ``recall-by-length``; ``distances``, ``depths`` and ``principal-axes``
    of one sentence; and ``tree-SENT_ID``, gold and recovered tree, of the given sentence or of
    three typical ones. From what `heads` wrote: ``heads``.

    Parameters
    ----------
    folder : path
        A folder that `sweep`, `compare` or `heads` wrote; it is not changed.
    out : path
        The folder for the figures, no results folder; created if it does not exist.
    formats : sequence of {"pdf", "svg", "png"}
        File formats.
    sentence : str, optional
        The sent_id of the sentence to draw.
    letters : bool, default=False
        Whether to write letters over the points of layer curves: layers that share a letter do not
        differ significantly (`significance` with its defaults, which needs predictions).
    force : bool, default=False
        Whether to replace files that an earlier call did not write.
    progress : bool, optional
        Whether to show a progress bar; by default if stderr is a terminal.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    StructprobeError
        If matplotlib is not installed; if the folder is not a results folder, of a newer format,
        damaged, or has nothing to draw; if there is no such sentence; if a file that `plot_folder`
        did not write exists; or if `out` is a results folder or cannot be written.
    """
    load_matplotlib()
    path = Path(folder)
    if not (path / MARKER).is_file():
        what = "is not a results folder" if os.path.lexists(path) else "no such folder"
        hint = "name a folder that sweep, compare or heads wrote"
        raise ResultError(what, where=str(folder), hint=hint)
    check_figures(out)
    rows = name_banks(read_rows(path))
    letters_of = partial(_letters, path) if letters else None
    figures = (
        _from_rows(rows, letters_of) | _from_predictions(path, rows, sentence) | _from_heads(path)
    )
    if not figures:
        what = (
            "nothing to draw: no method with several layers, no kept predictions with distances "
            "and gold trees, and no heads"
        )
        hint = Hint(
            "sweep over layers, or compare again, with keep_predictions=True",
            shell="run a sweep over layers, or compare again, without --no-keep-predictions",
        )
        raise ResultError(what, where=str(folder), hint=hint)
    return write_pictures(figures, out, formats=formats, force=force, progress=progress)


def _letters(folder: Path, metric: str) -> dict[str, str]:
    """Find the letters of layers, by the keys of their rows."""
    try:
        tables = significance(folder, "layer", metric, progress=False)
    except StructprobeError as error:
        _log.warning("no letters in the curve of %s: %s", metric, error)
        return {}
    systems = (system for table in tables for system in table.systems)
    return {key: system.letters for system in systems for key in system.keys}


def _from_rows(
    rows: Sequence[Row], letters_of: Callable[[str], Mapping[str, str]] | None = None
) -> dict[str, Any]:
    written = [row for row in rows if row.get("words_as") is None]
    figures = {
        f"layers-{metric}": draw_layer_curves(
            written, metric, letters=letters_of(metric) if letters_of else None
        ).figure
        for metric in METRICS
        if has_curve(written, metric)
    }
    figures |= {
        f"learning-{metric}": draw_learning_curves(written, metric).figure
        for metric in METRICS
        if has_curve(written, metric, "n_train")
    }
    groups: dict[tuple[str, ...], list[Row]] = {}
    gridded = [row for row in written if row.get("rank") and row.get("uuas")]
    apart = differing(gridded)
    for row in gridded:
        keys = ("method", *_GRID, *(key for key in apart if key not in _GRID))
        groups.setdefault(tuple(str(row.get(key)) for key in keys), []).append(row)
    grids = [own for _, own in sorted(groups.items()) if len({row["rank"] for row in own}) > 1]
    apart = [key for key in apart if key not in _TITLED]
    for number, own in enumerate(grids, start=1):
        name = "ranks" if len(grids) == 1 else f"ranks-{number}"
        told = ", ".join(tell_settings(own[0], apart))
        figures[name] = draw_rank_grid([row | {"setting": told} for row in own]).figure
    return figures


def _from_predictions(folder: Path, rows: Sequence[Row], sent_id: str | None) -> dict[str, Any]:
    """Draw recall, one sentence and a few trees of the best run."""
    found = _best(folder, rows)
    if found is None:
        _log.warning("no trees drawn: no run keeps predictions with distances and gold trees")
        return {}
    row, sentences, predictions = found
    figures: dict[str, Any] = {}
    scores = score(sentences, predictions, punct=row["punct"])
    if scores.by_deprel:
        figures["recall-by-deprel"] = draw_recall_by_deprel(scores, row=row).figure
    if scores.by_arc_length:
        figures["recall-by-length"] = draw_recall_by_length(scores, row=row).figure
    index = choose_sentence(sentences, sent_id)
    for at in typical(sentences, scores) if sent_id is None else [index]:
        one, name = sentences[at], tree_name(sentences[at], at)
        assert one.heads is not None
        name = f"{name}-{at + 1}" if name in figures else name
        heads, deprels = predictions[at].heads, predictions[at].deprels
        named: dict[str, Any] = {}
        if deprels is not None:
            named = {"deprels": one.deprels, "pred_deprels": deprels}
        note = scored_note(one, heads, scores, at)
        figures[name] = draw_svg(one.words, one.heads, heads, **named, note=note)
    one, prediction = sentences[index], predictions[index]
    assert one.heads is not None
    assert prediction.distances is not None
    told = one.words, one.heads, prediction.distances
    row = {**row, "sent_id": one.sent_id}
    figures["distances"] = draw_distances(*told, row=row)[0].figure
    figures["principal-axes"] = draw_principal_axes(*told, prediction.heads, row=row).figure
    if prediction.depths is not None:
        figures["depths"] = draw_depths(*told[:2], prediction.depths, row=row).figure
    return figures


def _best(folder: Path, rows: Sequence[Row]) -> tuple[Row, list[Sentence], list[Prediction]] | None:
    """Give the best run with distances and gold, on dev if possible; baselines come last."""
    scored = [row for row in rows if row.get("uuas") is not None and not row.get("uses_gold")]
    scored = [row for row in scored if row.get("words_as") is row.get("control") is None]
    # The test set chooses nothing, not even what is drawn, where there is a dev set. Of several
    # seeds the means are compared, and the first is drawn.
    means = sorted(over_seeds(scored), key=_rank)
    apart = [key for key in differing(scored) if key not in _TITLED]
    for place, mean in enumerate(means):
        row = next(row for row in scored if row["key"] == mean["key"])
        if not has_predictions(folder, row["key"]):
            continue
        sentences = read_sentences(folder, row["key"])
        predictions = [prediction for _, prediction in read_predictions(folder, row["key"])]
        if all(one.heads is not None for one in sentences) and all(
            one.distances is not None for one in predictions
        ):
            _tell_choice(mean, means[:place])
            told = tell_settings(row, apart)
            if mean.get("n_seeds"):
                told.append(f"seed {row['seed']} of {mean['n_seeds']}")
            return row | {"setting": ", ".join(told)}, sentences, predictions
    return None


def _rank(row: Row) -> tuple[bool, bool, float]:
    on_dev = row.get("dev_uuas")
    return row.get("model") is None, on_dev is None, -(row["uuas"] if on_dev is None else on_dev)


def _tell_choice(row: Row, better: Sequence[Row]) -> None:
    """Say where the run that is drawn is not the best one on dev."""
    name = row["method"] + (f", layer {row['layer']}" if row.get("layer") is not None else "")
    if row.get("dev_uuas") is None:
        what = f"the highest UUAS on {row.get('part')}: {name}"
        _log.warning("no scores on dev to choose by; drawn is the run with %s", what)
    elif better:
        _log.warning("the best run on dev keeps no predictions to draw; drawn is %s", name)


def _from_heads(folder: Path) -> dict[str, Any]:
    path = folder / "heads.json"
    if not path.is_file():
        return {}
    told = parse_json(read_stored(path, folder, ResultError, MAX_JSON), path, ResultError)
    try:
        places = [(one["layer"], one["head"]) for one in told["heads"]]
        shape = max(layer for layer, _ in places), max(head for _, head in places)
        if min(map(min, places)) < 1 or max(shape) > MAX_HEADS:
            raise ValueError(f"heads up to {shape}")
        table = np.full(shape, np.nan)
        for one in told["heads"]:
            table[one["layer"] - 1, one["head"] - 1] = one["alignment"] or np.nan
    except (ValueError, KeyError, TypeError, IndexError) as error:
        what = f"is not what `structprobe heads` writes: {error!r}"
        raise ResultError(what, where=str(path)) from error
    axes = draw_heat_map(table, ax=axes_or_new(None, 5.6, 4.2))
    put_title(axes, ALIGNMENT, [told])
    return {"heads": axes.figure}
