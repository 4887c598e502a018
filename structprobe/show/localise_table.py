"""Where the syntax is, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structprobe.errors import counted
from structprobe.show.table import NOTHING, lay_out

_HEADINGS = {
    "layer": "layer", "uuas": "UUAS", "distance_weight": "weight", "heads_weight": "weight",
    "cumulative_uuas": "UUAS 0..l", "root_acc": "root", "depth_weight": "depth weight",
    "cumulative_root_acc": "root 0..l",
}  # fmt: skip
# What each kind of mix is of, and where it gains.
_KINDS = (
    {"distance": "distances", "depth": "depths", "heads": "heads"},
    {"distance": "UUAS", "depth": "root", "heads": "UUAS"},
)


def format_localised(values: Mapping[str, Any], *, groups: bool = False) -> str:
    """Lay out what `structprobe.experiments.instruments.localise.Localised.values` gives."""
    keys = [key for key in _HEADINGS if key in values["layers"][0]]
    lines = [[_HEADINGS[key] for key in keys]]
    lines += [[_cell(key, layer[key]) for key in keys] for layer in values["layers"]]
    both = values["centre_of_gravity"], values["expected_layer"]
    gravity, expected = (
        ", ".join(f"{_layer(value)} ({names[kind]})" for kind, value in own.items())
        for own, names in zip(both, _KINDS, strict=True)
    )
    gains = ", ".join(f"{_gain(one)} ({_KINDS[1][kind]})" for kind, one in values["gain"].items())
    lines_below = [
        f"Best layer by UUAS: {values['best_layer']}.",
        f"Centre of gravity of the mix: {gravity}.",
        f"Expected layer, by the gain of each added layer: {expected}.",
        f"Gain of the mix of all layers over the lowest layer: {gains}; in brackets the 95% "
        f"bootstrap interval. If it is not above 0, there is no expected layer.",
        f"Method {values['probe']}; scores in per cent on {values['part']}, "
        f'{counted(values["n_sentences"], "sentence")}; punct="{values["punct"]}"; '
        "weights are for layers scaled to unit norm; 0..l is a mix of all layers up to this one.",
        *(_lay_out_groups(values) if groups else ()),
        *(f"Warning: {text}." for text in values["warnings"]),
    ]
    return "\n".join([*lay_out(lines, [False] * len(keys)), *lines_below])


def _lay_out_groups(values: Mapping[str, Any]) -> list[str]:
    """Lay out the expected layers of groups of edges."""
    layers = [layer["layer"] for layer in values["layers"]]
    lines = [["edges by", "which", "edges", "sentences", f"UUAS {layers[0]}",
              f"UUAS {layers[0]}..{layers[-1]}", "gain", "drops", "expected layer"]]  # fmt: skip
    for one in values["groups"]:
        lowest, *_, whole = one["cumulative_uuas"]
        lines.append([
            one["by"], one["name"], f"{one['n_edges']:,}", f"{one['n_sentences']:,}",
            f"{100 * lowest:z.1f}", f"{100 * whole:z.1f}", _gain(one["gain"]),
            f"{100 * one['drops']:z.1f}", _expected(one),
        ])  # fmt: skip
    return [
        "",
        *lay_out(lines, [True, True, *[False] * 6, True]),
        "relation: of the dependent, without subtypes; length: distance between head and "
        "dependent, in words; phrase: number of words in the smallest phrase that contains the "
        "edge (the head and all its descendants), without words excluded from UUAS; "
        '"sentence": edges whose head is the root.',
        "UUAS of the lowest layer and of the mix of all layers, in per cent; drops: sum of the "
        "negative gains of single layers; in brackets 95% bootstrap intervals over sentences, not "
        "corrected for the number of groups. An interval that extends beyond the layers means "
        "that drops make the expected layer uncertain. Groups have no expected layer if they are "
        "in too few sentences, if their gain is not clearly above 0, or if drops move the mean "
        "outside the layers.",
    ]


def _expected(group: Mapping[str, Any]) -> str:
    if group["why"] is not None:
        return f"{NOTHING} ({group['why']})"
    return f"{group['expected_layer']:z.2f} [{group['low']:z.2f}, {group['high']:z.2f}]"


def _layer(value: float | None) -> str:
    return NOTHING if value is None else f"{value:z.2f}"


def _gain(gain: Mapping[str, float | None] | None) -> str:
    if gain is None:
        return NOTHING
    value, low, high = ("" if (one := gain[key]) is None else f"{100 * one:z.1f}"
                        for key in ("value", "low", "high"))  # fmt: skip
    return f"{value} [{low}, {high}]" if low and high else value


def _cell(key: str, value: Any) -> str:
    if value is None:
        return NOTHING
    return str(value) if key == "layer" else f"{100 * value:z.1f}"
