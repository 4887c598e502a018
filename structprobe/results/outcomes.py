"""What a results folder tells of each model: how much syntax a probe finds, and who uses it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.results.folder import read_rows
from structprobe.results.rows import BEHAVIOUR, INTERVENTION, TESTS, Row
from structprobe.results.saved_runs import read_stimuli

PROBE, CONTROL = "probe", "probe-control-form"
ALL = "all"
LEAST_MODELS = 8  # for a correlation over models
_ENDS = ("", "_low", "_high")
_WHO = ("model", "revision", "fingerprint", "dtype")
# What probes must share for the best of them to be chosen, and how it is called.
_COMPARABLE = {
    "train_fingerprint": "their training set", "dev_fingerprint": "their dev set",
    "treebank_fingerprint": "what they were scored on", "punct": "punctuation",
    "spacing": "spacing", "bos": "the beginning-of-sequence token", "pooling": "pooling",
}  # fmt: skip
# What a probe shares with its control.
_SAME = ("layer", "rank", "seed", "train_sentences", "recipe", "max_steps", "punct", "spacing",
         "bos", "pooling")  # fmt: skip
_RESAMPLES = 2000


def read_outcomes(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Sum up each model of a results folder: probe, controls, behaviour, and interventions.

    Parameters
    ----------
    folder : path
        A results folder, such as from `outcomes`.

    Returns
    -------
    list of dict
        One for each model or revision, with the keys ``model``, ``revision``, ``dtype``; ``layer``,
        ``rank`` and ``uuas`` of the probe with the highest UUAS on dev, and ``selectivity`` of that
        probe against trees by word form, each with ``_low`` and ``_high``; ``lm_kind``;
        ``behaviour``, ``tests`` and ``removal``, lists of the saved scores by suite and phenomenon,
        of the sentence-level tests, and of interventions, from the last run of each suite where
        there are several; ``why_empty``, a list of the reasons for what there is not. No probe is
        chosen among several that have no dev scores, or other treebanks.

    Raises
    ------
    ResultError
        If the folder cannot be read.
    """
    path = Path(folder)
    models: dict[tuple[Any, ...], list[Row]] = {}
    for row in read_rows(path):
        if row["model"] is not None and "(untrained" not in row["model"]:
            models.setdefault(tuple(row[key] for key in _WHO), []).append(row)
    return [_of_model(path, rows) for rows in models.values()]


def best_probe(rows: Sequence[Row]) -> tuple[Row | None, str | None]:
    """Give the row of the probe with the highest UUAS on dev, or say why none can be chosen."""
    probes = [row for row in rows if row["method"] == PROBE and row["uuas"] is not None]
    whole = [row for row in probes if row["train_sentences"] is None]
    probes = whole or probes  # those of samples are for learning curves
    if len(probes) < 2:
        return next(iter(probes), None), None
    for key, name in _COMPARABLE.items():
        if len({row[key] for row in probes}) > 1:
            why = f"no probe was chosen: those of the folder differ in {name}"
            return None, f"{why}; use a folder for each"
    if any(row["dev_uuas"] is None for row in probes):
        return None, "no probe was chosen: there are several, without dev scores to choose by"
    return max(probes, key=lambda row: (row["dev_uuas"], -row["layer"])), None


def _of_model(folder: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Sum up the rows of one model."""
    first, (best, why) = rows[0], best_probe(rows)
    notes = [] if why is None else [why]
    kinds = [row["lm_kind"] for row in rows if row["lm_kind"] is not None]
    told = {key: first[key] for key in ("model", "revision", "dtype")} | {"lm_kind": None}
    told |= {"lm_kind": kinds[0]} if kinds else {}
    told |= {key: best and best[key] for key in ("layer", "rank")}
    told |= {f"uuas{end}": best and best[f"uuas{end}"] for end in _ENDS}
    control = next(
        (
            row
            for row in rows
            if best is not None
            and row["method"] == CONTROL
            and all(row[key] == best[key] for key in _SAME)
        ),
        None,
    )
    told |= {f"selectivity{end}": control and control[f"selectivity{end}"] for end in _ENDS}
    for name, method in {"behaviour": BEHAVIOUR, "tests": TESTS, "removal": INTERVENTION}.items():
        own, more = _last([row for row in rows if row["method"] == method], name, told["layer"])
        notes += more
        told[name] = [
            {"suite": row["suite"], "layer": row["layer"], **one}
            for row in own
            for one in read_stimuli(folder, row["key"])
        ]
    empty = [row["why_empty"] for row in rows
             if row["why_empty"] is not None and not _is_done(row, rows)]  # fmt: skip
    return told | {"why_empty": list(dict.fromkeys([*empty, *notes]))}


def _is_done(empty: Row, rows: Sequence[Row]) -> bool:
    """Whether what an empty row is about was done after all."""
    return any(
        row["why_empty"] is None
        and all(row[key] == empty[key] for key in ("method", "suite"))
        and empty["layer"] in (None, row["layer"])
        for row in rows
    )


def _last(rows: Sequence[Row], name: str, layer: int | None) -> tuple[list[Row], list[str]]:
    """Keep the last run of each suite, of those on the layer of the probe; say what was left."""
    rows = [row for row in rows if row["why_empty"] is None]
    notes = []
    if layer is not None and (others := {row["layer"] for row in rows} - {layer, None}):
        rows = [row for row in rows if row["layer"] in (layer, None)]
        told = ", ".join(map(str, sorted(others)))
        notes.append(f"{name} of other layers than that of the probe are not shown: {told}")
    by_suite = {row["suite"]: row for row in rows}
    if name == "removal" and rows:
        by_suite = {None: rows[-1]}  # its measures are not all of a suite
    if len(by_suite) < len(rows):
        notes.append(f"{name}: the folder has several runs, of which the last is shown")
    return list(by_suite.values()), notes


def accuracies(outcome: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """List the accuracies of a model by suite and phenomenon, ``"all"`` for the whole suite."""
    return {
        (one["suite"], one["condition"]): one
        for one in outcome["behaviour"]
        if one["value"] == ALL and one.get("accuracy") is not None
    }


def removals(outcome: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """List what changes without the subspace of the probe, by measure, over all phenomena."""
    return {
        one["condition"]: one
        for one in outcome["removal"]
        if one["control_of"] is None and one["intervention"] == PROBE and one["value"] in ("", ALL)
    }


def over_models(outcomes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Correlate UUAS and selectivity with accuracy over models, where there are at least eight.

    Parameters
    ----------
    outcomes : sequence of mapping
        As from `read_outcomes`.

    Returns
    -------
    list of dict
        For each suite and phenomenon, and for ``uuas`` and ``selectivity`` as ``score``: ``suite``,
        ``phenomenon``, ``n_models``, and Spearman's ``rho`` with ``low`` and ``high``, a 95 %
        percentile bootstrap interval over models; None if a score is the same in all models. Empty
        for fewer than eight models.
    """
    known = [accuracies(one) for one in outcomes]
    rows = []
    for suite, phenomenon in dict.fromkeys(key for own in known for key in own):
        for score in ("uuas", "selectivity"):
            pairs = np.array(
                [
                    (outcome[score], own[suite, phenomenon]["accuracy"])
                    for outcome, own in zip(outcomes, known, strict=True)
                    if outcome[score] is not None and (suite, phenomenon) in own
                ]
            ).reshape(-1, 2)
            if len(pairs) >= LEAST_MODELS:
                told = {"suite": suite, "phenomenon": phenomenon, "score": score}
                rows.append({**told, "n_models": len(pairs), **_spearman(pairs)})
    return rows


def _spearman(pairs: NDArray[np.float64]) -> dict[str, float | None]:
    """Correlate two columns by rank, with a bootstrap interval over the rows."""
    # pairs (n_models, 2)
    from structprobe.scores.correlation import rank_correlations
    from structprobe.scores.intervals import quantile_bounds

    drawn = np.random.default_rng(0).integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    samples = pairs[drawn]  # (r, n_models, 2)
    found = rank_correlations(samples[:, :, 0], samples[:, :, 1])
    (rho,) = rank_correlations(pairs[None, :, 0], pairs[None, :, 1]).tolist()
    if np.isnan(rho):  # one of the scores is the same in all models
        return {"rho": None, "low": None, "high": None}
    low, high = quantile_bounds(found, 0.95)
    return {"rho": rho, "low": low, "high": high}
