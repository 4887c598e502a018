"""Trees from single heads: the best head of each layer, chosen on one part, scored on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.recoverers.attention_head import AttentionHead
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.scores.gold_edges import GoldEdges
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import AttentionBatch
    from structprobe.encoder.encoder import Encoder


def single_head_methods(encoder: Encoder) -> list[AttentionHead]:
    """Create the methods that are reported for each head."""
    return [
        AttentionMax(encoder),
        AttentionMax(encoder, direction="from"),
        AttentionMST(encoder),
        AttentionMST(encoder, gold_root=True),
    ]


class SingleHeads:
    """UUAS of every head by several methods, summed over one pass through a treebank."""

    def __init__(
        self, methods: Sequence[AttentionHead], bank: Sequence[Sentence], punct: str | None
    ) -> None:
        self.methods, self.bank = methods, bank
        self._gold = GoldEdges(bank, punct)
        self._right: dict[str, Any] = {method.name: 0 for method in methods}

    def add(self, batch: AttentionBatch) -> None:
        """Add a batch of attention."""
        for method in self.methods:
            self._right[method.name] += method.count_right(batch, self._gold, self.bank)

    @property
    def uuas(self) -> dict[str, NDArray[np.float64]]:
        """UUAS (n_layers, n_heads) by method; NaN if no gold edge counts."""
        n_edges = self._gold.n_edges or np.nan
        return {name: right / n_edges for name, right in self._right.items()}


def tree_rows(
    choice: Mapping[str, NDArray[np.float64]], told: Mapping[str, NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """Choose a head in each layer on one part of a treebank; report its UUAS on another."""
    # choice (n_layers, n_heads), told (n_layers, n_heads)
    rows = []
    for method, chosen_by in choice.items():
        heads = chosen_by.argmax(axis=1)
        highest = chosen_by.max(axis=1)
        for layer, head in enumerate(heads.tolist()):
            uuas = _number(told[method][layer, head])
            known = not np.isnan(highest[layer])
            rows.append(
                {
                    "method": method,
                    "layer": layer + 1,
                    "head": head + 1 if known else None,
                    "choice_uuas": _number(highest[layer]),
                    "uuas": uuas if known else None,
                    "best": bool(known and layer == highest.argmax()),
                }
            )
    return rows


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
