"""Where the syntax is, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structprobe.show.columns import lay_out

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
    table = lay_out(lines, [False] * len(keys))
    gravity, expected = values["centre_of_gravity"], values["expected_layer"]
    return "\n".join(
        [
            *table,
            f"Best layer by UUAS: {values['best_layer']}.",
            "Centre of gravity of the mix: "
            + ", ".join(f"{own:.2f} ({_KINDS[kind][0]})" for kind, own in gravity.items())
            + ".",
            "Expected layer, by the gain of each added layer: "
            + ", ".join(f"{_layer(own)} ({_KINDS[kind][1]})" for kind, own in expected.items())
            + ".",
            f"Method {values['probe']}; scores in per cent on {values['part']}, "
            f'{values["n_sentences"]:,} sentences; punct="{values["punct"]}"; '
            "weights are for layers scaled to unit norm; 0..l is a mix of all layers up to this "
            "one.",
        ]
    )


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "–"
    return str(value) if key == "layer" else f"{100 * value:.1f}"


def _layer(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"  # NaN where nothing is gained
