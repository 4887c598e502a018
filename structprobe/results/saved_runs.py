"""Finding and reading what a results folder contains, without changing it."""

from __future__ import annotations

import os
from pathlib import Path

from structprobe.errors import ResultError
from structprobe.results.predictions import predictions_from_bytes, sentences_from_bytes
from structprobe.results.rows import Row
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

PREDICTIONS, PROBES = "predictions", "probes"


def probe_path(folder: str | os.PathLike[str], row: Row) -> Path:
    """Return the path of a run's saved probe; older versions named it by key."""
    return Path(folder) / PROBES / str(row.get("probe") or row["key"])


def unnamed_probe_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path of a saved probe before its row is added, which names it."""
    return Path(folder) / PROBES / key


def has_predictions(folder: str | os.PathLike[str], key: str) -> bool:
    """Check whether a run's predictions were saved."""
    return predictions_path(folder, key).is_file()


def read_predictions(
    folder: str | os.PathLike[str], key: str
) -> list[tuple[tuple[str, ...], Prediction]]:
    """Read the predictions of one run."""
    return predictions_from_bytes(*_kept(folder, key))


def read_sentences(folder: str | os.PathLike[str], key: str) -> list[Sentence]:
    """Read the sentences of one run's predictions."""
    return sentences_from_bytes(*_kept(folder, key))


def _kept(folder: str | os.PathLike[str], key: str) -> tuple[bytes, str]:
    """Read a predictions file, and return its path."""
    path = predictions_path(folder, key)
    if not path.is_file():
        raise ResultError(f"no predictions were saved for run {key!r}", where=str(folder))
    return path.read_bytes(), str(path)


def predictions_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path of a run's predictions."""
    return Path(folder) / PREDICTIONS / f"{key}.npz"
