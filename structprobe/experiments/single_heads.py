"""Trees from single heads: the best head of each layer, chosen on one part, told of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.recoverers.attention_head import AttentionHead
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.scores.edge_counts import GoldEdges
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.attention import AttentionBatch
    from structprobe.encoder.encoder import Encoder


def single_head_methods(encoder: Encoder) -> list[AttentionHead]:
    """Make the ways of reading trees off a head that are told of head by head.

    Parameters
    ----------
    encoder : Encoder
        The model.

    Returns
    -------
    list of AttentionHead
        *max* in both directions and *mst* (Htut et al. 2019; Raganato & Tiedemann 2018), the
        latter with the root that the decoder chooses and with the gold one.
    """
    return [
        AttentionMax(encoder),
        AttentionMax(encoder, direction="from"),
        AttentionMST(encoder),
        AttentionMST(encoder, gold_root=True),
    ]


class SingleHeads:
    """UUAS of every head by several methods, added up over one reading of a treebank.

    Parameters
    ----------
    methods : sequence of AttentionHead
        The methods, which all read the same attention.
    bank : sequence of Sentence
        The treebank.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS.
    """

    def __init__(
        self, methods: Sequence[AttentionHead], bank: Sequence[Sentence], punct: str | None
    ) -> None:
        self.methods, self.bank = methods, bank
        self._gold = GoldEdges(bank, punct)
        self._right: dict[str, Any] = {method.name: 0 for method in methods}

    def add(self, batch: AttentionBatch) -> None:
        """Add a batch of attention.

        Parameters
        ----------
        batch : AttentionBatch
            Some sentences of the treebank.
        """
        for method in self.methods:
            self._right[method.name] += method.count_right(batch, self._gold, self.bank)

    @property
    def uuas(self) -> dict[str, NDArray[np.float64]]:
        """UUAS (n_layers, n_heads) by method; NaN where no gold edge counts."""
        n_edges = self._gold.n_edges or np.nan
        return {name: right / n_edges for name, right in self._right.items()}


def tree_rows(
    choice: Mapping[str, NDArray[np.float64]], told: Mapping[str, NDArray[np.float64]]
) -> list[dict[str, Any]]:
    """Choose a head in each layer on one part of a treebank and tell its UUAS on another.

    Parameters
    ----------
    choice, told : mapping of str to ndarray, shape (n_layers, n_heads)
        UUAS by method, on the part that heads are chosen on and on the one that is told of.

    Returns
    -------
    list of dict
        One a method and layer: ``method``, ``layer`` and ``head`` (from 1, the first of equally
        good ones), ``choice_uuas``, ``uuas``, and ``best``, whether it is the best head of all
        layers by ``choice_uuas``. UUAS are fractions; ``head`` and they are None where no gold edge
        counts.
    """
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
