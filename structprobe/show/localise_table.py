"""Where the syntax is, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structprobe.errors import counted
from structprobe.show.columns import NOTHING, lay_out

_HEADINGS = {
    "layer": "layer",
    "uuas": "UUAS",
    "distance_weight": "weight",
    "heads_weight": "weight",
    "cumulative_uuas": "UUAS 0..l",
    "root_acc": "root",
    "depth_weight": "depth weight",
    "cumulative_root_acc": "root 0..l",
}
# What each kind of mix is of, and where it gains.
_KINDS = {
    "distance": ("distances", "UUAS"),
    "depth": ("depths", "root"),
    "heads": ("heads", "UUAS"),
}


def format_localised(values: Mapping[str, Any]) -> str:
    """Lay out what `structprobe.experiments.localise.Localised.values` gives."""
    keys = [key for key in _HEADINGS if key in values["layers"][0]]
    lines = [[_HEADINGS[key] for key in keys]]
    lines += [[_cell(key, layer[key]) for key in keys] for layer in values["layers"]]
    gravity, expected = (
        ", ".join(
            # NaN where nothing is gained
            f"{NOTHING if own != own else f'{own:.2f}'} ({_KINDS[kind][at]})"
            for kind, own in values[name].items()
        )
        for at, name in enumerate(("centre_of_gravity", "expected_layer"))
    )
    lines_below = [
        f"Best layer by UUAS: {values['best_layer']}.",
        f"Centre of gravity of the mix: {gravity}.",
        f"Expected layer, by the gain of each added layer: {expected}.",
        f"Method {values['probe']}; scores in per cent on {values['part']}, "
        f'{counted(values["n_sentences"], "sentence")}; punct="{values["punct"]}"; '
        "weights are for layers scaled to unit norm; 0..l is a mix of all layers up to this one.",
    ]
    return "\n".join([*lay_out(lines, [False] * len(keys)), *lines_below])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return NOTHING
    return str(value) if key == "layer" else f"{100 * value:.1f}"
