"""What made sentences show, by condition or task, as plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.table import NOTHING, lay_out

_HEADINGS = {
    "condition": "condition", "value": "value", "n": "stimuli", "uuas": "UUAS", "pair": "words",
    "linear_distance": "apart", "tree_distance": "in the tree", "edge": "edge",
    "distance": "distance", "slope": "near-word bias", "slope_all_pairs": "of all pairs",
}  # fmt: skip
_SHARES = ("uuas", "edge")
_ANSWERS = {
    "agreeing": "agreeing", "hierarchical": "hierarchical", "linear": "linear",
    "trained_on_both": "trained on both",
}  # fmt: skip


def format_stimuli(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the rows of `structprobe.stimuli.score_stimuli`."""
    keys = [key for key in _HEADINGS if any(row.get(key) is not None for row in rows)]
    lines = [[_HEADINGS[key] for key in keys]]
    lines += [[_cell(row, key) for key in keys] for row in rows]
    to_left = [key in ("condition", "value", "pair") for key in keys]
    return "\n".join([*lay_out(lines, to_left), *_below(keys)])


def _cell(row: Mapping[str, Any], key: str) -> str:
    value, ends = row.get(key), [row.get(f"{key}_{end}") for end in ("low", "high")]
    if value is None:
        return NOTHING
    if not isinstance(value, float):
        return str(value)
    form = _per_cent if key in _SHARES else "{:z.2f}".format
    told = "" if None in ends else f" [{', '.join(form(end) for end in ends)}]"
    return f"{form(value)}{told}"


def _per_cent(share: Any) -> str:
    return f"{100 * share:z.1f}"


def _below(keys: Sequence[str]) -> list[str]:
    """Tell what the columns are."""
    told = [
        "UUAS and edge in per cent; words: the two named words; edge: predicted trees with an edge "
        "between them; distance: their mean predicted distance; apart, in the tree: their mean "
        "distance in the sentence and in the gold tree; 95% bootstrap intervals over items (or "
        "sentences, if there are no items) in brackets."
    ]
    if "slope" in keys:
        told.append(
            "Near-word bias: growth of the predicted distance with each additional word between "
            "the two named words, at the same distance in the tree; 0 if predictions depend on the "
            "tree alone, 1 if they are linear distances. Of all pairs: the same for all pairs of "
            "words, within sentences."
        )
    return told


def format_order(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the rows of `structprobe.experiments.instruments.order.read_order`."""
    lines = [["task", "layer", *_ANSWERS.values()]]
    for row in rows:
        layer = row["vectors"] if row["layer"] is None else str(row["layer"])
        lines.append([row["task"], layer, *(_answers(row, key) for key in _ANSWERS)])
    sizes = {
        row["task"]: f"{row['task']}: {row['n_agreeing']:,} and {row['n_disagreeing']:,}"
        for row in rows
    }
    lines_below = [
        "Per cent of the answers of a linear probe trained on sentences in which order and "
        "hierarchy agree. agreeing: correct answers in held-out sentences of this kind; "
        "hierarchical, linear: answers by hierarchy and by order in sentences in which the two "
        "disagree; trained on both: correct answers in these sentences of a probe trained on both "
        "kinds.",
        "chance: without vectors; types: from one vector per word form (layer 0); 95% bootstrap "
        "intervals over items in brackets.",
        f"Number of answers where the two agree and disagree: {'; '.join(sizes.values())}.",
    ]
    to_left = [name in ("task", "layer") for name in lines[0]]
    return "\n".join([*lay_out(lines, to_left), *lines_below])


def _answers(row: Mapping[str, Any], key: str) -> str:
    value, *bounds = (row[f"{key}{end}"] for end in ("", "_low", "_high"))
    if None in bounds:
        return f"{100 * value:z.1f}"
    return f"{100 * value:z.1f} [{', '.join(f'{100 * one:z.1f}' for one in bounds)}]"
