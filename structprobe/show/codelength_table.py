"""How many bits gold trees take, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.show.table import INCOMPARABLE, NOTHING, lay_out

_HEADINGS = ("layer", "kind", "control", "codelength", "uniform", "compression")


def format_codelengths(values: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what `Codelength.values` gives for each row."""
    any_control = any(row["control"] for row in values)
    headings = [name for name in _HEADINGS if name != "control" or any_control]
    lines = [headings]
    for row in values:
        trees = [row["kind"], *([row["control"] or NOTHING] if any_control else [])]
        bits = (f"{row[key]:,.0f}" for key in ("codelength", "uniform_codelength"))
        lines.append([str(row["layer"]), *trees, *bits, f"{row['compression']:.3f}"])
    first = values[0]
    coded = counted(first["n_sentences"], "sentence"), counted(len(first["blocks"]), "block")
    steps = "" if first["max_steps"] is None else f", {counted(first['max_steps'], 'step')}"
    lines_below = [
        "Codelength: bits of the online code, in which each block is encoded by a probe trained on "
        "the blocks before it; uniform: bits of the uniform code, in which all trees or values are "
        "equally likely; compression: uniform / codelength.",
        f"Compare layers, models and controls within one kind: {INCOMPARABLE}.",
        f"{coded[0]} in {coded[1]}; recipe {first['recipe']}{steps}; seed {first['seed']}.",
    ]
    return "\n".join(
        [*lay_out(lines, [name in ("kind", "control") for name in headings]), *lines_below]
    )
