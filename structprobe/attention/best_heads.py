"""The best attention head for each relation and direction, and the best fixed offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.relations import DIRECTIONS, OffsetTally, RelationTally

MARGIN = 0.1
"""By how much a head must exceed the fixed offset to be listed, a fraction."""

LEAST_ARCS = 20
"""Number of scored arcs a relation needs for heads to be listed; with two, any head gets one."""


@dataclass(frozen=True, slots=True, eq=False)
class RelationScores:
    """The accuracy of heads and fixed offsets on one part of a treebank."""

    heads: RelationTally  # Of every head
    offsets: OffsetTally  # Of every offset, for the same relations


def relation_rows(
    choice: RelationScores,
    told: RelationScores,
    offsets: NDArray[np.integer],
    patterns: NDArray[np.str_],
) -> list[dict[str, Any]]:
    """Choose heads on one part of a treebank and report their accuracy on another."""
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
    """Describe the head that is best on the first of two parts (2, n_layers, n_heads)."""
    keys = ("layer", "head", "pattern", "choice_accuracy", "accuracy")
    if np.isnan(accuracy[0]).any():
        return dict.fromkeys(keys)
    layer, head = np.unravel_index(accuracy[0].argmax(), patterns.shape)
    both = accuracy[:, layer, head].tolist()
    place = (int(layer) + 1, int(head) + 1)
    return dict(zip(keys, (*place, str(patterns[layer, head]), *both), strict=True))


def _ahead(accuracy: NDArray[np.float64], baseline: NDArray[np.float64]) -> list[list[Any]]:
    """List the heads that exceed the offset on both parts; none if a part has no arcs."""
    gain = accuracy - baseline[:, None, None]
    beats = (gain > MARGIN - 1e-9).all(axis=0)  # a gain of exactly the margin counts
    layers, heads = np.nonzero(beats)
    order = np.argsort(-accuracy[0, layers, heads], kind="stable")
    return [
        [int(layer) + 1, int(head) + 1, float(accuracy[1, layer, head])]
        for layer, head in zip(layers[order], heads[order], strict=True)
    ]
