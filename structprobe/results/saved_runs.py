"""Where a results folder keeps the probes and predictions of its runs, and reading them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from structprobe.errors import ResultError
from structprobe.results.predictions import (
    MAX_PACKED,
    Predicted,
    predictions_from_bytes,
    sentences_from_bytes,
)
from structprobe.results.rows import ENCODING, Row
from structprobe.stored_files import read_stored, refuse_links
from structprobe.treebank.sentence import Sentence

PREDICTIONS, PROBES = "predictions", "probes"
SAME_SCORE = 5e-3  # distances are saved in float32, which may decide a tie
_FILE_NAME = re.compile(r"(?!\.)[^/\\:]{1,255}")


def probe_path(folder: str | os.PathLike[str], row: Row) -> Path:
    """Return the path of a run's saved probe; older versions named it by key."""
    return unnamed_probe_path(folder, str(row.get("probe") or row["key"]))


def unnamed_probe_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path of a saved probe before its row is added, which names it."""
    path = Path(folder) / PROBES / key
    refuse_links(path, Path(folder), ResultError)
    return path


# What distinguishes probes of the same layer, rank and seed, in order of preference.
_APART = (
    "model", "train", "dev", "recipe", "select", "max_steps", "products", *ENCODING, "punct",
    "treebank",
)  # fmt: skip


def name_probe(row: Row, others: Mapping[str, Row], taken: Iterable[str] = ()) -> str:
    """Name a probe's folder by layer, rank and seed, and by what distinguishes it from others."""
    method = "" if row["method"] == "probe" else f"{row['method']}_"
    name = f"{method}layer-{row['layer']:02d}_rank-{row['rank']}_seed-{row['seed']}"
    if row.get("train_sentences") is not None:  # the plain name is for all sentences
        name += f"_train_sentences-{row['train_sentences']}"
    while name in others:
        apart = [key for key in _APART if row.get(key) != others[name].get(key)]
        parts = (f"{key}-{_short(row[key])}" for key in apart)
        part = next((part for part in parts if part not in name), None)
        if part is None:
            break
        name += f"_{part}"
    return f"{name}_{row['key'][:8]}" if name in {*others, *taken} else name


def _short(value: Any) -> str:
    """Format a value as part of a file name."""
    end = Path(str(value)).name if "/" in str(value) else str(value)
    return re.sub(r"[^\w.+-]+", "-", end)[:60]


def has_predictions(folder: str | os.PathLike[str], key: str) -> bool:
    """Check whether a run's predictions were saved."""
    return predictions_path(folder, key).is_file()


def read_predictions(folder: str | os.PathLike[str], key: str) -> list[Predicted]:
    """Read the predictions of one run."""
    return predictions_from_bytes(*_kept(folder, key), key)


def read_sentences(folder: str | os.PathLike[str], key: str) -> list[Sentence]:
    """Read the sentences of one run's predictions."""
    return sentences_from_bytes(*_kept(folder, key), key)


def read_gold(folder: str | os.PathLike[str], rows: Iterable[Row]) -> dict[object, list[Sentence]]:
    """Read the sentences of each treebank once, with their gold trees where any run has them."""
    banks: dict[object, list[Sentence]] = {}
    for row in rows:
        name = row["treebank_fingerprint"]
        known = name in banks and all(sentence.heads is not None for sentence in banks[name])
        if not known and has_predictions(folder, row["key"]):
            banks[name] = read_sentences(folder, row["key"])
    return banks


def _kept(folder: str | os.PathLike[str], key: str) -> tuple[bytes, str]:
    """Read a predictions file, and return its path."""
    path = predictions_path(folder, key)
    if not path.is_file():
        raise ResultError(f"no predictions were saved for run {key!r}", where=str(folder))
    return read_stored(path, Path(folder), ResultError, MAX_PACKED), str(path)


def is_file_name(name: object) -> bool:
    """Whether a name, from whatever source, is that of one file or folder of a results folder."""
    return isinstance(name, str) and name.isprintable() and bool(_FILE_NAME.fullmatch(name))


def predictions_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path of a run's predictions."""
    return Path(folder) / PREDICTIONS / f"{key}.npz"
