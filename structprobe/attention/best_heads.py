"""The best attention head for each relation and direction, beside the best fixed offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.relations import DIRECTIONS, OffsetTally, RelationTally

MARGIN = 0.1
"""By how much a head must beat the fixed offset to be listed, a fraction."""

LEAST_ARCS = 20
"""How many arcs of a relation must be scored for heads to be listed: of two, any head gets one."""


@dataclass(frozen=True, slots=True, eq=False)
class RelationScores:
    """How well heads and fixed offsets do on one part of a treebank."""

    heads: RelationTally  # Of every head
    offsets: OffsetTally  # Of every offset, with the same relations


def relation_rows(
    choice: RelationScores,
    told: RelationScores,
    offsets: NDArray[np.integer],
    patterns: NDArray[np.str_],
) -> list[dict[str, Any]]:
    """Choose heads on one part of a treebank and tell how they do on another."""
    # offsets (n_relations + 1,), patterns (n_layers, n_heads)
    accuracy = np.stack([choice.heads.accuracy, told.heads.accuracy])  # (2, 2, rows, layers, heads)
    baseline = np.stack([part.offsets.accuracy(offsets) for part in (choice, told)])  # (2, rows)
    common = np.argsort(-told.heads.total, kind="stable")
    return [
        {
            "relation": told.heads.names[number],
            "direction": name,
            "n_arcs": int(told.heads.total[number]),
            **_best(accuracy[:, direction, number], patterns),
            "offset": int(offsets[number]) or None,
            "offset_accuracy": float(baseline[1, number]) if offsets[number] else None,
            "ahead": _ahead(accuracy[:, direction, number], baseline[:, number])
            if told.heads.total[number] >= LEAST_ARCS
            else [],
        }
        for number in common.tolist()
        if told.heads.total[number]
        for direction, name in enumerate(DIRECTIONS)
    ]


def _best(accuracy: NDArray[np.float64], patterns: NDArray[np.str_]) -> dict[str, Any]:
    """Tell of the head that is best on the first of two parts (2, n_layers, n_heads)."""
    keys = ("layer", "head", "pattern", "choice_accuracy", "accuracy")
    if np.isnan(accuracy[0]).any():
        return dict.fromkeys(keys)
    layer, head = np.unravel_index(accuracy[0].argmax(), patterns.shape)
    both = accuracy[:, layer, head].tolist()
    place = (int(layer) + 1, int(head) + 1)
    return dict(zip(keys, (*place, str(patterns[layer, head]), *both), strict=True))


def _ahead(accuracy: NDArray[np.float64], baseline: NDArray[np.float64]) -> list[list[Any]]:
    """List the heads that beat the offset on both parts; none where a part has no arcs."""
    gain = accuracy - baseline[:, None, None]
    beats = (gain > MARGIN - 1e-9).all(axis=0)  # a gain of just the margin counts
    layers, heads = np.nonzero(beats)
    order = np.argsort(-accuracy[0, layers, heads], kind="stable")
    return [
        [int(layer) + 1, int(head) + 1, float(accuracy[1, layer, head])]
        for layer, head in zip(layers[order], heads[order], strict=True)
    ]
