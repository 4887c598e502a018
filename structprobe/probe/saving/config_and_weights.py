"""The files of a saved probe: two matrices, a config, a card and its picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe._version import __version__
from structprobe.errors import ProbeError
from structprobe.probe.saving.card import PICTURE, model_card
from structprobe.probe.saving.training_curve import training_curve
from structprobe.probe.types import Origin
from structprobe.scores.result import Scores

FORMAT = "structprobe-probe"
FORMAT_VERSION = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
COMPONENTS = ("distance_components", "depth_components")
_KEYS = (
    *("hidden_size", "rank", "hyperparameters", "origin"),
    *("treebank_fingerprint", "fitted_on", "dev_scores", "history"),
)
NOTES = ("fitted_on", "dev_scores", "dev_baselines")  # further information on a probe in its config


@dataclass(frozen=True, slots=True)
class SavedProbe:
    """A fitted probe in plain values, as it is saved and loaded."""

    matrices: Mapping[str, NDArray[np.floating]]  # By `COMPONENTS`, each (rank, hidden_size)
    hyperparameters: Mapping[str, Any]
    history: Mapping[str, Any]  # As `StructuralProbe.history_`
    origin: Origin = None
    treebank_fingerprint: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)  # By `NOTES`, those that are known


def write_files(probe: SavedProbe) -> dict[str, bytes]:
    """Give the files of a saved probe."""
    from safetensors.numpy import save as tensors_to_bytes

    config = _config(probe)
    picture = training_curve(config["history"])
    tensors = {name: np.ascontiguousarray(probe.matrices[name]) for name in COMPONENTS}
    return {
        WEIGHTS: tensors_to_bytes(tensors, {"format": "np"}),
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: model_card(config, pictured=picture is not None).encode(),
        **({} if picture is None else {PICTURE: picture.encode()}),
    }


def read_files(folder: Path) -> SavedProbe:
    """Read and check a saved probe."""
    config = read_config(folder)
    return SavedProbe(
        read_tensors(folder, (config["rank"], config["hidden_size"])),
        config["hyperparameters"],
        config["history"],
        config["origin"],
        config["treebank_fingerprint"],
        {name: config.get(name) for name in NOTES},
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Read and check ``config.json``."""
    path = folder / CONFIG
    if not path.is_file():
        raise ProbeError(f"is not a saved probe: it has no {CONFIG}", where=str(folder))
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise ProbeError(f"not valid JSON: {error}", where=str(path)) from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        hint = "choose a folder written by save_pretrained"
        raise ProbeError("not the config of a structural probe", where=str(path), hint=hint)
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
    return config


def read_tensors(folder: Path, shape: tuple[int, int]) -> dict[str, NDArray[np.floating]]:
    """Read and check both matrices."""
    # -> (rank, hidden_size)
    from safetensors import SafetensorError
    from safetensors.numpy import load as tensors_from_bytes

    path = folder / WEIGHTS
    try:
        tensors = tensors_from_bytes(path.read_bytes())
    except FileNotFoundError as error:
        told = f"incomplete saved probe: it has no {WEIGHTS}"
        raise ProbeError(told, where=str(folder)) from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ProbeError(f"not a valid safetensors file: {error}", where=str(path)) from error
    for name in COMPONENTS:
        if name not in tensors:
            raise ProbeError(f"matrix {name!r} is missing", where=str(path))
        if (found := tensors[name].shape) != shape:
            told = f"{name} has shape {found}, but the config says {shape}"
            raise ProbeError(told, where=str(path))
        if not np.isfinite(tensors[name]).all():
            raise ProbeError(f"{name} contains values that are not finite", where=str(path))
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


def _config(probe: SavedProbe) -> dict[str, Any]:
    """Describe a probe and its training data in plain values."""
    rank, hidden_size = probe.matrices[COMPONENTS[0]].shape
    baselines = probe.notes.get("dev_baselines") or {}
    device = str(probe.hyperparameters["device"])
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": {
            "structprobe": __version__,
            **{package: version(package) for package in ("torch", "transformers")},
        },
        "hidden_size": int(hidden_size),
        "rank": int(rank),
        "hyperparameters": plain({**probe.hyperparameters, "device": device}),
        "origin": plain(probe.origin),
        "treebank_fingerprint": plain(probe.treebank_fingerprint),
        "fitted_on": plain(probe.notes.get("fitted_on") or None),
        "dev_scores": plain(_scores(probe.notes.get("dev_scores")) or None),
        "dev_baselines": plain({name: _scores(one) for name, one in baselines.items()} or None),
        "history": plain(probe.history),
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
