"""What a folder holds that a report can be made of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structprobe.errors import ResultError
from structprobe.probe.saving.save_load import CONFIG, read_config
from structprobe.results.commands import read_commands
from structprobe.results.folder import MARKER, read_rows
from structprobe.results.rows import Row

_KINDS = "name a folder that `structprobe sweep`, `compare` or `fit` wrote"


@dataclass(frozen=True)
class Results:
    """A folder of results."""

    folder: Path  # Where it is
    rows: Sequence[Row]  # Its result rows, at least one
    commands: Sequence[Mapping[str, Any]]  # What filled it, as `read_commands` tells


@dataclass(frozen=True)
class FittedProbe:
    """A folder of a saved probe."""

    folder: Path  # Where it is
    config: Mapping[str, Any]  # Its ``config.json``


def read_source(folder: str | os.PathLike[str]) -> Results | FittedProbe:
    """Find out what a folder is, and read it."""
    path = Path(folder)
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "no such folder"
        raise ResultError(what, where=str(folder), hint=_KINDS)
    if (path / MARKER).exists():
        rows = read_rows(path)
        if not rows:
            what = "the results folder is empty"
            if (path / "heads.json").exists():
                what += " but for the tables and figures of `structprobe heads`"
            raise ResultError(what, where=str(folder), hint=_KINDS)
        return Results(path, rows, read_commands(path))
    if (path / CONFIG).exists():
        return FittedProbe(path, read_config(path))
    raise ResultError(
        "is neither a results folder nor a saved probe", where=str(folder), hint=_KINDS
    )
