"""Save fitted probes to a folder or the hub, completely or not at all, and load them.

Nothing is pickled. The folder has the hub's own format, so that all tools of the hub can open it:
``model.safetensors`` holds both matrices, ``config.json`` all hyperparameters and data of the fit,
``README.md`` is the model card and ``training.svg`` its picture.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe._version import __version__
from structprobe.drafts import draft_file, draft_folder
from structprobe.errors import Hint, ProbeError, check_path
from structprobe.output_paths import check_room, disk_hint
from structprobe.probe.saving.card import PICTURE, model_card
from structprobe.probe.saving.saved_relations import (
    FORM,
    HYPERPARAMETERS,
    SavedRelations,
    check_tensor,
    read_relations,
)
from structprobe.probe.saving.training_curve import training_curve
from structprobe.probe.types import Origin
from structprobe.scores.result import Scores
from structprobe.stored_files import MAX_JSON, parse_json, read_stored

FORMAT = "structprobe-probe"
FORMAT_VERSION = 2  # probes that format 1 can describe are still written as 1
# Hyperparameters that are not in format 1, with the values for which nothing needs them.
NEWER = {"geometry": "euclidean"}
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
MAX_WEIGHTS = 2**32  # bytes: both matrices at full rank for vectors of 16,384 numbers take half
COMPONENTS = ("distance_components", "depth_components")
_KEYS = (
    *("hidden_size", "rank", "hyperparameters", "origin"),
    *("treebank_fingerprint", "fitted_on", "dev_scores", "history"),
)
_PLAIN = (str, int, float, bool, type(None))
_NUMBER = (int, float, type(None))
_LOSSES = {"*": _PLAIN, "step": int, "dev_loss": _NUMBER, "train_loss": _NUMBER}
_SCORES = {"*": _NUMBER, "punct": (str, type(None))}
# What may stand in a config: types, lists of a form, and mappings by key ("*" for all others) that
# may be null.
_FORMS: dict[str, Any] = {
    **{"hidden_size": int, "rank": int, "hyperparameters": {"*": _PLAIN}, "origin": {"*": _PLAIN}},
    **{"treebank_fingerprint": (str, type(None)), "versions": {"*": str}},
    **{"fitted_on": {"*": _PLAIN}, "dev_scores": _SCORES, "dev_baselines": {"*": _SCORES}},
    "history": {kind: {"evaluations": [_LOSSES]} for kind in ("distance", "depth", "relation")},
    "relations": FORM,
}
# Of the config itself, and of the file of the matrices; older versions wrote no checksums.
CHECK, WEIGHTS_CHECK = "checksum", "weights_checksum"
NOTES = ("fitted_on", "dev_scores", "dev_baselines")  # further information on a probe in its config
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB_HINT = "pass a folder, or a hub id of the form 'owner/name'"


@dataclass(frozen=True, slots=True)
class SavedProbe:
    """A fitted probe in plain values, as it is saved and loaded."""

    matrices: Mapping[str, NDArray[np.floating]]  # By `COMPONENTS`, each (rank, hidden_size)
    hyperparameters: Mapping[str, Any]
    history: Mapping[str, Any]  # As `StructuralProbe.history_`
    origin: Origin = None
    treebank_fingerprint: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)  # By `NOTES`, those that are known
    relations: SavedRelations | None = None


def save(probe: SavedProbe, folder: str | os.PathLike[str]) -> Path:
    """Write a fitted probe to a folder, completely or not at all."""
    target = check_target(folder)
    files = write_files(probe)
    try:
        with draft_folder(target) as fresh:
            for name, content in files.items():
                with draft_file(fresh / name) as file:
                    file.write(content)
    except OSError as error:
        raise ProbeError(
            f"cannot save the probe: {error.strerror or error}",
            where=str(folder),
            hint=disk_hint(error, "existing files were not changed"),
        ) from error
    return Path(folder)


def check_target(folder: str | os.PathLike[str], *, replace: bool = True) -> Path:
    """Reject a folder that a probe must not be saved to; to be called before a long fit."""
    check_path("folder", folder, ProbeError)
    target, where = Path(os.path.realpath(folder)), str(folder)
    if target.exists() and not target.is_dir():
        hint = "choose another folder"
        raise ProbeError("is a file, not a folder", where=where, hint=hint)
    names = {entry.name for entry in target.iterdir()} if target.exists() else set()
    if names and not _is_ours(target):
        told = "the folder exists and is not a saved probe"
        raise ProbeError(told, where=where, hint="choose a new or empty folder")
    if names and not replace:
        hint = Hint(
            "name another folder, or pass force=True to replace it",
            shell="name another folder, or replace it with --force",
        )
        raise ProbeError("already contains a saved probe", where=where, hint=hint)
    if foreign := sorted(names - {CONFIG, WEIGHTS, CARD, PICTURE}):
        raise ProbeError(
            f"contains {foreign[0]!r}, which is not part of a saved probe and would be deleted",
            where=where,
            hint="move it elsewhere, or choose another folder",
        )
    # The new folder is made next to an older one, not in it.
    check_room(target.parent, where=folder, error=ProbeError)
    return target


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a saved probe of any version, according to its config."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("format") == FORMAT


def load(source: str | os.PathLike[str], *, revision: str | None = None) -> SavedProbe:
    """Read a saved probe from a folder, or from the hub if `source` is a hub id."""
    check_path("source", source, ProbeError)
    folder, where = Path(source), str(source)
    if folder.is_dir():
        if revision is not None:
            told = f"revision {revision!r} applies only to a hub id, and this is a local folder"
            raise ProbeError(told, where=where)
        return read_files(folder)
    if folder.exists():
        raise ProbeError("is a file, not a folder", where=where, hint=_HUB_HINT)
    if not HUB_ID.fullmatch(where):
        raise ProbeError("no such folder", where=where, hint=_HUB_HINT)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    at = f" at revision {revision!r}" if revision else ""
    wanted = [CONFIG, WEIGHTS, CARD]
    try:
        folder = Path(snapshot_download(where, revision=revision, allow_patterns=wanted))
    except LocalEntryNotFoundError as error:
        raise ProbeError(
            f"no such folder, not in the local cache{at}, and the hub cannot be reached",
            where=where,
            hint=f"check the name, or download it while online: hf download {source}",
        ) from error
    except hub_errors() as error:
        told = f"no such folder, and no such probe on the hub{at}: {first_line(error)}"
        raise ProbeError(told, where=where, hint=_HUB_HINT) from error
    return read_files(folder)


def hub_errors() -> tuple[type[BaseException], ...]:
    """Give the errors that the hub's client raises if offline, refused or given a wrong name."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are those of the HTTP library that the hub uses, connection errors among them.
    return (*HfHubHTTPError.__bases__, OSError, ValueError)


def first_line(error: BaseException) -> str:
    """Give the first line of a message."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def write_files(probe: SavedProbe) -> dict[str, bytes]:
    """Give the files of a saved probe."""
    from safetensors.numpy import save as tensors_to_bytes

    config = _config(probe)
    picture = training_curve(config["history"])
    matrices = {name: probe.matrices[name] for name in COMPONENTS}
    if probe.relations is not None:
        matrices |= {name: one.astype(np.float32) for name, one in probe.relations.arrays.items()}
    tensors = {name: np.ascontiguousarray(one) for name, one in matrices.items()}
    weights = tensors_to_bytes(tensors, {"format": "np"})
    config[WEIGHTS_CHECK] = _digest(weights)
    config[CHECK] = _digest(config)
    return {
        WEIGHTS: weights,
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: model_card(config, pictured=picture is not None).encode(),
        **({} if picture is None else {PICTURE: picture.encode()}),
    }


def read_files(folder: Path) -> SavedProbe:
    """Read and check a saved probe."""
    while True:
        config = read_config(folder)
        shape = config["rank"], config["hidden_size"]
        try:
            tensors = read_tensors(folder, shape, config.get(WEIGHTS_CHECK))
            relations = read_relations(config, tensors, str(folder / WEIGHTS))
            break
        except ProbeError:
            if read_config(folder) == config:  # otherwise another was saved here meanwhile
                raise
    return SavedProbe(
        {name: tensors[name] for name in COMPONENTS},
        config["hyperparameters"],
        config["history"],
        config["origin"],
        config["treebank_fingerprint"],
        {name: config.get(name) for name in NOTES},
        relations,
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Read and check ``config.json``."""
    path = folder / CONFIG
    if not path.is_file():
        raise ProbeError(f"is not a saved probe: it has no {CONFIG}", where=str(folder))
    config = parse_json(read_stored(path, folder, ProbeError, MAX_JSON), path, ProbeError)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        python = "choose a folder that its save_pretrained wrote"
        fitted = Hint(python, shell="name a folder that `structprobe fit` wrote")
        raise ProbeError("not the config of a structural probe", where=str(path), hint=fitted)
    found = config.get("format_version")
    if not isinstance(found, int) or found > FORMAT_VERSION:
        raise ProbeError(
            f"format version {found!r}, but structprobe {__version__} reads up to {FORMAT_VERSION}",
            where=str(path),
            hint="upgrade structprobe",
        )
    for key in _KEYS:
        if key not in config:
            raise ProbeError(f"key {key!r} is missing", where=str(path))
    for key, form in _FORMS.items():
        if not _fits(config.get(key), form):
            what = f"{key} is not what `fit` writes"
            raise ProbeError(what, where=str(path), hint="fit the probe again")
    if config.get(CHECK) not in (None, _digest(config)):
        hint = f"save the probe again; if you changed it on purpose, remove {CHECK!r} from it"
        raise ProbeError("was changed after it was saved", where=str(path), hint=hint)
    return config


def _fits(value: object, form: Any) -> bool:
    """Compare a value from JSON with its form: types, lists of a form, or mappings by key."""
    if isinstance(form, list | dict) and value is None:
        return True
    if isinstance(form, list):
        return isinstance(value, list) and all(one and _fits(one, form[0]) for one in value)
    if isinstance(form, dict):
        forms = (
            dict.fromkeys(value, form.get("*", object)) | form if isinstance(value, dict) else {}
        )
        forms.pop("*", None)
        return isinstance(value, dict) and all(_fits(value.get(k), one) for k, one in forms.items())
    if isinstance(value, bool) and form is int:
        return False
    return isinstance(value, form) and not (isinstance(value, int) and abs(value) >= 2**63)


def read_tensors(
    folder: Path, shape: tuple[int, int], digest: str | None = None
) -> dict[str, NDArray[np.floating]]:
    """Read all matrices, and check the two that every probe has."""
    # -> (rank, hidden_size)
    from safetensors import SafetensorError
    from safetensors.numpy import load as tensors_from_bytes

    path = folder / WEIGHTS
    if not os.path.lexists(path):
        raise ProbeError(f"incomplete saved probe: it has no {WEIGHTS}", where=str(folder))
    try:
        content = read_stored(path, folder, ProbeError, MAX_WEIGHTS)
        tensors = tensors_from_bytes(content)
    except (SafetensorError, KeyError, TypeError) as error:
        raise ProbeError(f"not a valid safetensors file: {error}", where=str(path)) from error
    for name in COMPONENTS:
        check_tensor(tensors, name, shape, str(path))
    if digest not in (None, _digest(content)):
        hint = "save the probe again"
        raise ProbeError(f"is not the file saved with {CONFIG}", where=str(path), hint=hint)
    return tensors


def plain(value: object) -> Any:
    """Convert a value for strict JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else None


def _digest(content: bytes | Mapping[str, Any]) -> str:
    """Give the checksum of a file, or of what a config says, however it is laid out."""
    if not isinstance(content, bytes):
        told = {key: value for key, value in content.items() if key != CHECK}
        content = json.dumps(told, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _config(probe: SavedProbe) -> dict[str, Any]:
    """Describe a probe and its training data in plain values."""
    rank, hidden_size = probe.matrices[COMPONENTS[0]].shape
    baselines = probe.notes.get("dev_baselines") or {}
    hyperparameters = {**probe.hyperparameters, "device": str(probe.hyperparameters["device"])}
    if probe.relations is None:
        for name in HYPERPARAMETERS:
            hyperparameters.pop(name, None)
    # Those that change nothing are left out, so that older versions can read the probe.
    newer = {name for name, one in NEWER.items() if hyperparameters.get(name, one) != one}
    for name in NEWER.keys() - newer:
        hyperparameters.pop(name, None)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION if newer or probe.relations is not None else 1,
        "versions": {
            "structprobe": __version__,
            **{package: version(package) for package in ("torch", "transformers")},
        },
        "hidden_size": int(hidden_size),
        "rank": int(rank),
        "hyperparameters": plain(hyperparameters),
        "origin": plain(probe.origin),
        "treebank_fingerprint": plain(probe.treebank_fingerprint),
        "fitted_on": plain(probe.notes.get("fitted_on") or None),
        "dev_scores": plain(_scores(probe.notes.get("dev_scores")) or None),
        "dev_baselines": plain({name: _scores(one) for name, one in baselines.items()} or None),
        "history": plain(probe.history),
        **({} if probe.relations is None else {"relations": plain(probe.relations.config)}),
    }


def _scores(scores: object) -> object:
    """Give scores with the ends of their bootstrap intervals; a mapping is returned unchanged."""
    if not isinstance(scores, Scores):
        return scores
    return scores.to_dict() | {
        f"{metric}{end}": value
        for metric, interval in scores.intervals().items()
        if interval is not None
        for end, value in zip(("_low", "_high"), interval, strict=True)
    }
