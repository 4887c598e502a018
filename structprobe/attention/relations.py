"""The best attention heads for each relation and direction, compared with fixed offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.targets import check_weights
from structprobe.errors import ScoreError

DIRECTIONS = ("dependent to head", "head to dependent")
"""Which word attends to which for a head to be correct, see `RelationTally`."""

ALL = "all"
"""The name of the row for all arcs."""

MARGIN = 0.1
"""By how much a head must exceed the fixed offset to be listed, a fraction."""

LEAST_ARCS = 20
"""Number of scored arcs a relation needs for heads to be listed; with two, any head gets one."""


class RelationTally:
    """Words whose head an attention head finds, by relation, summed over batches."""

    def __init__(self, relations: Sequence[str], n_layers: int, n_heads: int) -> None:
        self.names = (ALL, *relations)
        self.total = np.zeros(len(self.names), dtype=np.int64)
        self.correct = np.zeros((2, len(self.names), n_layers, n_heads), dtype=np.int64)

    def add(
        self,
        weights: NDArray[np.floating],
        heads: NDArray[np.integer],
        relations: NDArray[np.integer],
    ) -> None:
        """Add a padded batch."""
        # weights (b, n_layers, n_heads, n, n), heads (b, n), relations (b, n)
        check_weights(weights, heads=heads, relations=relations)
        sentence, word = np.nonzero(heads > 0)
        head = heads[sentence, word] - 1
        real = heads >= 0
        pairs = real[:, :, None] & real[:, None, :] & ~np.eye(heads.shape[1], dtype=np.bool_)
        others = np.where(pairs[:, None, None], weights, -1)  # (b, n_layers, n_heads, n, n)
        rows = _rows(len(self.names), relations[sentence, word])  # (n_relations + 1, arcs)
        self.total += rows.sum(axis=1).astype(np.int64)
        for direction, axis in enumerate((-1, -2)):
            ends = (word, head) if axis == -1 else (head, word)
            found = others.argmax(axis=axis)[sentence, :, :, word]  # (arcs, n_layers, n_heads)
            weight = weights[sentence, :, :, *ends]  # of the gold arc
            right = ((found == head[:, None, None]) & (weight > 0)).astype(np.float32)
            # Below 2 ** 24 arcs per batch, sums of float32 ones are exact.
            counts = rows @ right.reshape(len(right), self.correct[0, 0].size)
            self.correct[direction] += counts.astype(np.int64).reshape(self.correct[0].shape)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Fractions (2, n_relations + 1, n_layers, n_heads); NaN if there are no arcs."""
        total = np.where(self.total > 0, self.total, np.nan)
        return self.correct / total[:, None, None]


class OffsetTally:
    """The offsets, in words, from dependents to their heads, by relation."""

    def __init__(self, relations: Sequence[str]) -> None:
        self.names = (ALL, *relations)
        self._counts: dict[int, NDArray[np.int64]] = {}
        self.total = np.zeros(len(self.names), dtype=np.int64)

    def add(self, heads: NDArray[np.integer], relations: NDArray[np.integer]) -> None:
        """Add a padded batch, or one sentence as a batch of one."""
        # heads (b, n), relations (b, n)
        if heads.ndim != 2 or heads.shape != relations.shape:
            raise ScoreError(
                f"heads has shape {heads.shape}, but relations has shape {relations.shape}"
            )
        arcs = heads > 0
        offsets = (heads - 1 - np.arange(heads.shape[1]))[arcs]
        for offset in np.unique(offsets).tolist():
            these = relations[arcs][offsets == offset]
            counts = _rows(len(self.names), these).sum(axis=1).astype(np.int64)
            self._counts[offset] = self._counts.get(offset, 0) + counts
            self.total += counts

    def best(self) -> NDArray[np.int64]:
        """Find the most common offset of each relation."""
        # -> (n_relations + 1,)
        best = np.zeros(len(self.names), dtype=np.int64)
        most = np.zeros(len(self.names), dtype=np.int64)
        for offset in sorted(self._counts, key=lambda offset: (abs(offset), offset)):
            more = self._counts[offset] > most
            best[more], most[more] = offset, self._counts[offset][more]
        return best

    def accuracy(self, offsets: NDArray[np.integer]) -> NDArray[np.float64]:
        """Give the share of arcs with a given offset."""
        # offsets (n_relations + 1,) -> (n_relations + 1,)
        none = np.zeros(len(self.names), dtype=np.int64)
        right = [
            self._counts.get(offset, none)[number] for number, offset in enumerate(offsets.tolist())
        ]
        return np.array(right) / np.where(self.total > 0, self.total, np.nan)


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
    layers: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Choose heads on one part of a treebank and report their accuracy on another."""
    # offsets (n_relations + 1,), patterns (n_layers, n_heads), layers (n_layers,)
    layers = layers or range(1, len(patterns) + 1)
    accuracy = np.stack([choice.heads.accuracy, told.heads.accuracy])  # (2, 2, rows, layers, heads)
    baseline = np.stack([part.offsets.accuracy(offsets) for part in (choice, told)])  # (2, rows)
    common = np.argsort(-told.heads.total, kind="stable")
    return [
        {
            "relation": told.heads.names[number],
            "direction": name,
            "n_arcs": int(told.heads.total[number]),
            **_best(accuracy[:, direction, number], patterns, layers),
            "offset": int(offsets[number]) or None,
            "offset_accuracy": float(baseline[1, number]) if offsets[number] else None,
            "ahead": _ahead(accuracy[:, direction, number], baseline[:, number], layers)
            if told.heads.total[number] >= LEAST_ARCS
            else [],
        }
        for number in common.tolist()
        if told.heads.total[number]
        for direction, name in enumerate(DIRECTIONS)
    ]


def _best(
    accuracy: NDArray[np.float64], patterns: NDArray[np.str_], layers: Sequence[int]
) -> dict[str, Any]:
    """Describe the head that is best on the first of two parts (2, n_layers, n_heads)."""
    keys = ("layer", "head", "pattern", "choice_accuracy", "accuracy")
    if np.isnan(accuracy[0]).any():
        return dict.fromkeys(keys)
    layer, head = np.unravel_index(accuracy[0].argmax(), patterns.shape)
    both = accuracy[:, layer, head].tolist()
    place = (layers[layer], int(head) + 1)
    return dict(zip(keys, (*place, str(patterns[layer, head]), *both), strict=True))


def _ahead(
    accuracy: NDArray[np.float64], baseline: NDArray[np.float64], layers: Sequence[int]
) -> list[list[Any]]:
    """List the heads that exceed the offset on both parts; none if a part has no arcs."""
    gain = accuracy - baseline[:, None, None]
    beats = (gain > MARGIN - 1e-9).all(axis=0)  # a gain of exactly the margin counts
    rows, heads = np.nonzero(beats)
    order = np.argsort(-accuracy[0, rows, heads], kind="stable")
    return [
        [layers[row], int(head) + 1, float(accuracy[1, row, head])]
        for row, head in zip(rows[order], heads[order], strict=True)
    ]


def _rows(n_names: int, relations: NDArray[np.integer]) -> NDArray[np.float32]:
    """Ones in the row of each arc's relation and in the row of all (n_names, arcs)."""
    rows = np.zeros((n_names, len(relations)), dtype=np.float32)
    rows[0] = 1
    rows[relations + 1, np.arange(len(relations))] = 1
    return rows
