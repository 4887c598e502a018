"""Axes that tasks have in common, as plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.table import NOTHING, lay_out


def format_axes(values: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what `LayerAxes.values` gives for each layer."""
    uses = [["layer", "task", "axes", "Spearman"]]
    shared = [["layer", "task", "and task", "axes", "share", "chance", "overlap"]]
    for one in values:
        layer = str(one["layer"])
        for task in one["tasks"]:
            uses.append([layer, task["task"], str(task["n_axes"]), _per_cent(task["correlation"])])
        for pair in one["pairs"]:
            shares = [_per_cent(pair[key]) for key in ("share", "chance", "overlap")]
            shared.append([layer, pair["a"], pair["b"], str(pair["n_shared"]), *shares])
    first = values[0]
    lines = lay_out(uses, [name == "task" for name in uses[0]])
    if len(shared) > 1:
        named = [name in ("task", "and task") for name in shared[0]]
        lines += ["", "Axes in common", *lay_out(shared, named)]
    all_axes = ", ".join(dict.fromkeys(str(one["n_axes"]) for one in values))
    return "\n".join([
        *lines,
        "",
        f"Axes: those that a task uses, of {all_axes}; the weakest, which make up at most "
        f"{100 * first['threshold']:g}% of its predictions, are left out. "
        f"{_said_of_coordinates(first)}",
        "Spearman: correlation with the gold values, on the test set if there is one; what cannot "
        "be predicted has no meaningful axes.",
        "Share: of the axes of the task that has fewer; chance: the same for axes drawn at random; "
        "overlap: without a threshold, axes weighted by their use. In per cent.",
        f"L1 penalty {first['l1']:g}; seed {first['seed']}.",
        *(f"Warning: {text}." for text in first["warnings"]),
    ])  # fmt: skip


def _said_of_coordinates(values: Mapping[str, Any]) -> str:
    """Say in which coordinates the axes are at right angles."""
    if values["coordinates"] == "raw":
        return "They are orthogonal in the model's own coordinates."
    return "They are orthogonal in coordinates that whiten the word vectors."


def _per_cent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:z.1f}"
