"""Errors of filler-role decompositions, as a plain table for a terminal."""

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
