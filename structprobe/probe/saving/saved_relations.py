"""The relations of a saved probe: arrays beside its matrices, and names in its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.losses.relations import READS

# What stands in the file of the matrices, and the attribute of the reader.
ARRAYS = {
    "relation_components": "relation_components_",
    "relation_intercept": "intercept_",
    "relation_allowed": "allowed_",
    "word_components": "word_components_",
    "word_intercept": "word_intercept_",
}
# Hyperparameters that probes without relations are saved without, for versions that know none.
HYPERPARAMETERS = ("relations", "subtypes", "decoding")
FORM = {"reads": str, "classes": [str], "weight": (int, float, type(None))}


@dataclass(frozen=True, slots=True)
class SavedRelations:
    """What reads the relations of a saved probe, in plain values."""

    reads: str
    classes: list[str]
    weight: float | None  # Of relations when decoding trees
    arrays: Mapping[str, NDArray[Any]]  # By `ARRAYS`

    @property
    def config(self) -> dict[str, Any]:
        """What the config says."""
        return {"reads": self.reads, "classes": self.classes, "weight": self.weight}


def read_relations(
    config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], where: str
) -> SavedRelations | None:
    """Take the relations of a saved probe, if it has any, and check them."""
    told, decoding = config.get("relations"), config["hyperparameters"].get("decoding")
    if told is None and decoding in (None, "published"):
        return None
    if (
        told is None
        or told["reads"] not in READS
        or told["classes"] != sorted({*told["classes"]})
        or (told["weight"] is None and decoding == "joint")
        or not config["history"].get("relation")
    ):
        what = "relations are not what `fit` writes"
        raise ProbeError(what, where=where, hint="fit the probe again")
    n, width = len(told["classes"]), config["hidden_size"]
    shapes = {
        "relation_components": (n, width * (2 if told["reads"] == "pair" else 1)),
        **dict.fromkeys(("relation_intercept", "relation_allowed"), (2, n)),
        **{"word_components": (n, width), "word_intercept": (n,)},
    }
    for name, shape in shapes.items():
        check_tensor(tensors, name, shape, where)
    arrays = {name: tensors[name] for name in ARRAYS}
    arrays["relation_allowed"] = arrays["relation_allowed"].astype(np.bool_)
    return SavedRelations(told["reads"], told["classes"], told["weight"], arrays)


def check_tensor(
    tensors: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], where: str
) -> None:
    """Refuse an array that is missing, of another shape, or not of finite numbers."""
    if name not in tensors:
        raise ProbeError(f"matrix {name!r} is missing", where=where)
    if (found := tensors[name].shape) != shape:
        raise ProbeError(f"{name} has shape {found}, but the config says {shape}", where=where)
    if tensors[name].dtype.kind != "f":
        raise ProbeError(f"{name} has type {tensors[name].dtype}", where=where)
    if not np.isfinite(tensors[name]).all():
        raise ProbeError(f"{name} contains values that are not finite", where=where)
