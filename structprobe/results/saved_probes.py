"""The probes that a sweep saved, and which one of them is meant."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from structprobe.errors import Hint, ResultError
from structprobe.results.folder import MARKER, read_rows
from structprobe.results.rows import Row, per_cent
from structprobe.results.saved_runs import probe_path

_log = logging.getLogger(__name__)

# Probes are chosen among only within one value of these; beside each, what people call it by.
_COMPARABLE = {
    "fingerprint": "model",
    "train_fingerprint": "train",
    "dev_fingerprint": "dev",
    "punct": "punct",
}


def is_results(source: str | os.PathLike[str]) -> bool:
    """Tell whether something is a folder of results."""
    return (Path(source) / MARKER).is_file()


def saved_probes(folder: str | os.PathLike[str], method: str = "probe") -> list[tuple[Path, Row]]:
    """Give the probes saved in a folder of results, in the order of their rows."""
    found = [(probe_path(folder, row), row) for row in read_rows(folder)]
    found = [(path, row) for path, row in found if row["method"] == method and path.is_dir()]
    if not found:
        raise ResultError(
            "this results folder holds no saved probes",
            where=str(folder),
            hint=Hint(
                "sweep into a new folder with save_probes=True, or name a saved probe",
                shell="sweep into a new folder with --save-probes, or name a folder that `fit` "
                "wrote",
            ),
        )
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
    """Find one saved probe in a folder of results: the best on dev of those that are meant.

    Parameters
    ----------
    folder : path
        A folder that `sweep` saved probes in.
    layer, rank, seed : int, optional
        Which probe; of all layers, ranks or seeds unless given.
    model : str, optional
        The model, where the folder has several: as the rows name it, or the end of that.
    method : str, default="probe"
        ``"probe"``, or ``"probe-untrained"`` for those on the untrained copy.
    **more
        Values of other keys of a result row, such as ``recipe="published"``.

    Returns
    -------
    path : pathlib.Path
        The folder of the probe.
    row : dict
        Its result row.

    Raises
    ------
    ResultError
        If the folder holds no results or no saved probes, or none that is meant; if several
        models, treebanks or protocols are meant, whose scores on dev cannot be compared; or if
        several probes are meant and there are no scores on dev to choose by. What there is
        is listed.
    """
    found = saved_probes(folder, method)
    wanted = {"model": model, "layer": layer, "rank": rank, "seed": seed, **more}
    for key, value in wanted.items():
        if value is None:
            continue
        meant = [(path, row) for path, row in found if _is_meant(key, value, row.get(key))]
        if not meant:
            there = _listed(row.get(key) for _, row in found)
            what = f"no saved probe has {key} {value}"
            raise ResultError(what, where=str(folder), hint=f"saved: {key} {there}")
        found = meant
    for key, usual in _COMPARABLE.items():
        if len({row[key] for _, row in found}) > 1:
            name = usual if len({row[usual] for _, row in found}) > 1 else key
            raise ResultError(
                f"holds probes of more than one {name}: {_listed(row[name] for _, row in found)}",
                where=str(folder),
                hint="name the folder of one probe in it",
            )
    if len(found) > 1 and any(row["dev_uuas"] is None for _, row in found):
        raise ResultError(
            "holds several probes, and no scores on dev to choose by: "
            + _listed(probe_label(row) for _, row in found),
            where=str(folder),
            hint=Hint(
                "choose one with layer=, rank= and seed=",
                shell="choose one with --layer, --rank and --seed",
            ),
        )
    return min(found, key=lambda one: _order(one[1]))


def locate_probe(
    source: str | os.PathLike[str],
    *,
    layer: int | None = None,
    rank: int | None = None,
    seed: int | None = None,
) -> str | os.PathLike[str]:
    """Give where one saved probe is: what was named, or the one meant in a folder of results."""
    if is_results(source):
        path, row = find_probe(source, layer=layer, rank=rank, seed=seed)
        _log.info("%s: %s", source, probe_label(row))
        return path
    given = {"layer": layer, "rank": rank, "seed": seed}
    for key, value in given.items():
        if value is not None:
            raise ResultError(
                f"{key} {value} was given, but this is not a results folder",
                where=str(source),
                hint=Hint(
                    f"leave out {key}= for a single saved probe",
                    shell=f"leave out --{key} for a single saved probe",
                ),
            )
    return source


def probe_label(row: Row) -> str:
    """Say which probe a row is of."""
    told = ", ".join(f"{key} {row[key]}" for key in ("layer", "rank", "seed"))
    return told if row["dev_uuas"] is None else f"{told} (UUAS {per_cent(row['dev_uuas'])} on dev)"


def _order(row: Row) -> tuple[float, ...]:
    """Put the best on dev first; of several that are alike, the lowest layer, rank and seed."""
    return (-(row["dev_uuas"] or 0.0), row["layer"], row["rank"], row["seed"] or 0)


def _is_meant(key: str, value: object, there: object) -> bool:
    """Tell whether a value is the one that was named; a model goes by the end of its path too."""
    if key == "model" and there is not None:
        return str(there) == value or str(there).rstrip("/").endswith(f"/{value}")
    return value == there


def _listed(values: Iterable[object]) -> str:
    """List values once each, in order."""
    found = dict.fromkeys(values)
    numbers = [value for value in found if isinstance(value, int)]
    ordered = sorted(numbers) if len(numbers) == len(found) else sorted(map(str, found))
    return ", ".join(map(str, ordered))
