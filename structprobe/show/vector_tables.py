"""What is in the vectors of a layer, as plain tables: fillers and roles, and shared axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.show.table import NOTHING, lay_out

_HEADINGS = (
    *("layer", "scheme", "roles", "parameters", "new roles"),
    *("error", "control", "selectivity"),
)
# The scheme that is close at layer 0 for each sentence vector, whatever a model composes.
_BY_CONSTRUCTION = {"mean": "bag-of-words", "first": "left-to-right", "last": "right-to-left"}


def format_decompositions(values: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what `Decomposition.values` gives for each row."""
    lines = [[*_HEADINGS]]
    for row in values:
        counts = [f"{row[key]:,}" for key in ("n_roles", "n_parameters")]
        shares = [_share(row["control_error"], interval=False), _share(row["selectivity"])]
        lines.append([str(row["layer"]), row["scheme"], *counts, f"{100 * row['new_roles']:z.1f}",
                      _share(row["error"]), *shares])  # fmt: skip
    first = values[0]
    pooled = first["sentence_vector"]
    vector = "mean word vector" if pooled == "mean" else f"vector of the {pooled} word"
    lines_below = [
        f"Error: variance of the vectors of test sentences ({vector}) that the scheme does not "
        "explain, in per cent (100 for predicting the mean); 95% bootstrap intervals over "
        "sentences in brackets.",
        "Control: error with the roles permuted within each sentence; selectivity: control - "
        "error, which is due to which word has which role. Compare selectivities, not errors: "
        "schemes differ in the number of roles and parameters, a scheme and its control do not. "
        "New roles: per cent of test words whose role does not occur in the training set.",
        f"At layer 0, {_BY_CONSTRUCTION[pooled]} has a low error by construction, which is no sign "
        "of composition.",
        f"{counted(first['n_train'], 'training sentence')}, "
        f"{counted(first['n_sentences'], 'test sentence')}; fillers: vectors of word forms at "
        f"layer 0; seed {first['seed']}.",
        *(f"Warning: {text}." for text in first["warnings"]),
    ]
    return "\n".join([*lay_out(lines, [name == "scheme" for name in _HEADINGS]), *lines_below])


def _share(found: Mapping[str, float] | None, *, interval: bool = True) -> str:
    if found is None:
        return NOTHING
    value, low, high = (f"{100 * found[key]:z.1f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]" if interval else value


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
