"""What was read of order and hierarchy, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.table import lay_out

_SHARES = {
    "agreeing": "agreeing", "hierarchical": "hierarchical", "linear": "linear",
    "trained_on_both": "trained on both",
}  # fmt: skip


def format_order(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the rows of `structprobe.experiments.instruments.order.read_order`."""
    lines = [["task", "layer", *_SHARES.values()]]
    for row in rows:
        layer = row["vectors"] if row["layer"] is None else str(row["layer"])
        lines.append([row["task"], layer, *(_share(row, key) for key in _SHARES)])
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


def _share(row: Mapping[str, Any], key: str) -> str:
    value, *bounds = (row[f"{key}{end}"] for end in ("", "_low", "_high"))
    if None in bounds:
        return f"{100 * value:z.1f}"
    return f"{100 * value:z.1f} [{', '.join(f'{100 * one:z.1f}' for one in bounds)}]"
