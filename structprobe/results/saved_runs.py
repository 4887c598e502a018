"""Where a results folder keeps what is saved of a run beside its row, and reading it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from structprobe.errors import ResultError
from structprobe.results.predictions import (
    MAX_PACKED,
    Predicted,
    predictions_from_bytes,
    sentences_from_bytes,
)
from structprobe.results.rows import ENCODING, Row, plain_number
from structprobe.stored_files import MAX_JSON, parse_json, read_stored, refuse_links
from structprobe.treebank.sentence import Sentence

PREDICTIONS, PROBES, STIMULI = "predictions", "probes", "stimuli"
SAME_SCORE = 5e-3  # distances are saved in float32, which may decide a tie
_TEXTS = ("condition", "value")  # of the scores by condition; beside them are numbers
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
    "reads", "decoding", "treebank",
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


def stimuli_to_text(conditions: Sequence[Mapping[str, Any]], key: str) -> str:
    """Write the scores by condition of one run as JSON."""
    told = json.dumps([*conditions], ensure_ascii=False, allow_nan=False, default=plain_number)
    check = digest(told.encode())
    return f'{{"key": {json.dumps(key)}, "checksum": "{check}", "conditions": {told}}}\n'


def read_stimuli(folder: str | os.PathLike[str], key: str) -> list[dict[str, Any]]:
    """Read the scores by condition of one run; none if it was not scored on stimuli."""
    path = stimuli_path(folder, key)
    if not os.path.lexists(path):
        return []
    hint = "remove it; the row of the run still has the near-word bias"
    content = read_stored(path, Path(folder), ResultError, MAX_JSON)
    found = parse_json(content, path, ResultError, hint)
    told = found.get("conditions") if isinstance(found, dict) else None
    if not isinstance(told, list) or not all(map(_is_of_condition, told)):
        what = "is not a list of scores by condition, as `sweep` writes it"
        raise ResultError(what, where=str(path), hint=hint)
    known = json.dumps(told, ensure_ascii=False).encode(errors="surrogatepass")
    if (found.get("key"), found.get("checksum")) != (key, digest(known)):
        what = "was changed after it was written, or is of another run"
        raise ResultError(what, where=str(path), hint=hint)
    return told


def _is_of_condition(row: object) -> bool:
    """Whether what a file holds can be the scores of a condition, or of a value of it."""
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _TEXTS):
        return False
    return all(
        value is None
        or isinstance(value, str)
        or (isinstance(value, int | float) and abs(value) < sys.float_info.max)
        for key, value in row.items()
        if key not in ("pair", "values")
    )


def stimuli_path(folder: str | os.PathLike[str], key: str) -> Path:
    """Return the path of a run's scores by condition."""
    return Path(folder) / STIMULI / f"{key}.json"


def digest(content: bytes) -> str:
    """Give the checksum of a row or of scores by condition."""
    return hashlib.sha256(content).hexdigest()[:12]


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
