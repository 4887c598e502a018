"""Finding the probes that a sweep saved."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from structprobe.errors import Hint, ResultError, check_path
from structprobe.results.folder import MARKER, read_rows
from structprobe.results.rows import Row, per_cent
from structprobe.results.saved_runs import probe_path
from structprobe.results.settings import differing, name_banks, tell_settings

_log = logging.getLogger(__name__)

# Only probes with the same values of these are compared; beside each, its usual name.
_COMPARABLE = {
    "fingerprint": "model", "train_sentences": "train_sentences", "train_fingerprint": "train",
    "dev_fingerprint": "dev", "punct": "punct",
}  # fmt: skip


def is_results(source: str | os.PathLike[str]) -> bool:
    """Decide whether a path is a results folder."""
    return (Path(source) / MARKER).is_file()


def saved_probes(folder: str | os.PathLike[str], method: str = "probe") -> list[tuple[Path, Row]]:
    """List the probes saved in a results folder, in the order of their rows."""
    rows = [row for row in read_rows(folder) if row["method"] == method]
    found = [(path, row) for row in rows if (path := probe_path(folder, row)).is_dir()]
    if not found:
        hint = Hint(
            "sweep into a new folder with save_probes=True, or name a saved probe",
            shell="sweep into a new folder with --save-probes, or name a folder that `fit` wrote",
        )
        raise ResultError("this results folder holds no saved probes", where=str(folder), hint=hint)
    return found


def find_probe(
    folder: str | os.PathLike[str],
    *,
    layer: int | None = None,
    rank: int | None = None,
    seed: int | None = None,
    model: str | None = None,
    method: str = "probe",
    **more: object,
) -> tuple[Path, Row]:
    """Find a saved probe in a results folder: the best on dev of those that match.

    Parameters
    ----------
    folder : path
        A results folder in which `sweep` saved probes.
    layer, rank, seed : int, optional
        Those of the probe; by default any.
    model : str, optional
        The model, if the folder has several: as named in the rows, or the last part of it.
    method : str, default="probe"
        ``"probe"``, or ``"probe-untrained"`` for probes on the untrained model.
    **more
        Values of other keys of the result row, such as ``recipe="published"``.

    Returns
    -------
    tuple of (pathlib.Path, dict)
        The folder of the probe, and its result row.

    Raises
    ------
    ResultError
        If the folder has no matching saved probes; if they are for several models, treebanks or
        protocols, so that dev scores cannot be compared; or if several have no dev scores.
    """
    found = saved_probes(folder, method)
    wanted = {"model": model, "layer": layer, "rank": rank, "seed": seed, **more}
    for key, value in wanted.items():
        if value is None:
            continue
        meant = [(path, row) for path, row in found if _is_meant(key, value, row.get(key))]
        if not meant:
            there = _listed(row.get(key) for _, row in found)
            shown = value if key == "model" else repr(value)  # a number in quotes is none
            what = f"no saved probe has {key} {shown}"
            raise ResultError(what, where=str(folder), hint=f"saved: {key} {there}")
        found = meant
    whole = [one for one in found if one[1].get("train_sentences") is None]
    if whole and "train_sentences" not in more:  # those of samples are for learning curves
        found = whole
    for key, usual in _COMPARABLE.items():
        if key == "train_fingerprint" and all(row["train_sentences"] for _, row in found):
            key = "train"  # each seed has its own sample
        if len({row[key] for _, row in found}) > 1:
            name = usual if len({row[usual] for _, row in found}) > 1 else key
            what = f"has probes of more than one {name}: {_listed(row[name] for _, row in found)}"
            raise ResultError(what, where=str(folder), hint="give the folder of a single probe")
    if len(found) > 1 and any(row["dev_uuas"] is None for _, row in found):
        what = "contains several probes, without dev scores to choose by: "
        what += _listed(probe_label(row) for _, row in found)
        shell = "choose one with --layer, --rank and --seed"
        hint = Hint("choose one with layer=, rank= and seed=", shell=shell)
        raise ResultError(what, where=str(folder), hint=hint)

    def order(one: tuple[Path, Row]) -> tuple[float, ...]:
        row = one[1]
        return -(row["dev_uuas"] or 0.0), row["layer"], row["rank"], row["seed"] or 0

    return min(found, key=order)


def locate_probe(
    source: str | os.PathLike[str],
    *,
    layer: int | None = None,
    rank: int | None = None,
    seed: int | None = None,
) -> str | os.PathLike[str]:
    """Return the path of a saved probe: `source` itself, or the one found in a results folder."""
    check_path("source", source, ResultError)
    if is_results(source):
        path, row = find_probe(source, layer=layer, rank=rank, seed=seed)
        rows = name_banks(row for _, row in saved_probes(source))
        named = next(one for one in rows if one["key"] == row["key"])
        told = ", ".join([probe_label(row), *tell_settings(named, differing(rows))])
        _log.info("%s: using the probe of %s", source, told)
        return path
    for key, value in {"layer": layer, "rank": rank, "seed": seed}.items():
        if value is not None:
            what = f"{key} {value} was given, but this is not a results folder"
            shell = f"leave out --{key} for a single saved probe"
            hint = Hint(f"leave out {key}= for a single saved probe", shell=shell)
            raise ResultError(what, where=str(source), hint=hint)
    return source


def probe_label(row: Row) -> str:
    """Describe the probe of a row."""
    told = ", ".join(f"{key} {row[key]}" for key in ("layer", "rank", "seed"))
    return told if row["dev_uuas"] is None else f"{told} (UUAS {per_cent(row['dev_uuas'])} on dev)"


def _is_meant(key: str, value: object, there: object) -> bool:
    """Decide whether a value matches; for a model, the last part of its path is enough."""
    if key == "model" and there is not None:
        return str(there) == value or str(there).rstrip("/").endswith(f"/{value}")
    return value == there


def _listed(values: Iterable[object]) -> str:
    """List distinct values, in order."""
    found: set[Any] = {*values}
    numbers = all(isinstance(value, int) for value in found)
    return ", ".join(map(str, sorted(found, key=None if numbers else str)))
