"""`HeadAnalysis`: what was found out about the attention heads of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.best_heads import LEAST_ARCS, MARGIN
from structprobe.attention.patterns import PATTERNS, PatternRules


@dataclass(frozen=True, eq=False)
class HeadAnalysis:
    """What `structprobe.experiments.heads.analyse_heads` found, on the part that is told of.

    Layers and heads are counted from 0 in arrays and from 1 in rows: layer `l` is the attention
    that makes layer `l` of the model.

    Attributes
    ----------
    about : mapping of str to plain values
        ``model``, ``train``, ``chosen_on`` (the part that heads were chosen on), ``part`` and
        ``treebank`` (what is told of), ``n_sentences``, ``n_words``, ``punct``,
        ``first_is_special`` (whether the first position is a special token, or else the first
        word's), ``seed``, ``n_pairs`` (of sentences read as two segments, None where each was
        read by itself), ``cpu_seconds`` and ``wall_seconds``.
    rules : PatternRules
        When a head has which pattern.
    relations : sequence of dict
        Best heads and offsets, see `structprobe.attention.best_heads.relation_rows`.
    accuracy : mapping of str to ndarray, shape (2, n_layers, n_heads)
        The accuracy of every head for each of these relations, by direction.
    shares : mapping of str to ndarray, shape (n_layers, n_heads)
        What each head looks at, by the names of `structprobe.attention.targets.TARGETS`.
    entropy : ndarray, shape (n_layers, n_heads)
        Of where words look, in nats.
    alignment, shuffled : ndarray, shape (n_layers, n_heads)
        Share of attention between words that falls on arcs: of the gold trees, and of the same
        trees over shuffled words.
    trees : sequence of dict
        The best head of each layer by each way of reading trees off a head, see
        `structprobe.experiments.single_heads.tree_rows`.
    own_segment : ndarray, shape (n_layers, n_heads), or None
        Share of attention between words that stays within one of two segments; None where sentences
        were read one by one.
    """

    about: Mapping[str, Any]
    rules: PatternRules  # When a head has which pattern
    relations: Sequence[dict[str, Any]]
    accuracy: Mapping[str, NDArray[np.float64]]  # (2, n_layers, n_heads)
    shares: Mapping[str, NDArray[np.float64]]  # (n_layers, n_heads)
    entropy: NDArray[np.float64]  # (n_layers, n_heads): of where words look, in nats
    alignment: NDArray[np.float64]  # (n_layers, n_heads)
    shuffled: NDArray[np.float64]  # (n_layers, n_heads)
    trees: Sequence[dict[str, Any]]
    own_segment: NDArray[np.float64] | None = None  # (n_layers, n_heads)

    @property
    def patterns(self) -> NDArray[np.str_]:
        """The pattern of each head (n_layers, n_heads), out of `PATTERNS`."""
        return self.rules.name(self.shares["near"], self.shares["delimiters"], self.own_segment)

    @property
    def pattern_counts(self) -> dict[str, int]:
        """How many heads have each pattern."""
        return {name: int((self.patterns == name).sum()) for name in PATTERNS}

    def heterogeneous(self, mainly: float | None = None) -> float:
        """Give the share of heads that are heterogeneous.

        Parameters
        ----------
        mainly : float, optional
            A threshold in place of that of the rules, to see how much hangs on it.

        Returns
        -------
        float
            A fraction of all heads.

        Raises
        ------
        ScoreError
            If `mainly` is no share.
        """
        rules = self.rules if mainly is None else replace(self.rules, mainly=mainly)
        return float(np.mean(replace(self, rules=rules).patterns == "heterogeneous"))

    def head_rows(self) -> list[dict[str, Any]]:
        """Give one row of plain values for each head.

        Returns
        -------
        list of dict
            ``layer`` and ``head``, from 1; ``pattern``; the shares by their names; ``entropy``,
            ``alignment`` and ``shuffled``, None where a head attends to no word that counts; where
            pairs were read ``own_segment``, likewise.
        """
        patterns = self.patterns
        values = {
            **self.shares,
            "entropy": self.entropy,
            "alignment": self.alignment,
            "shuffled": self.shuffled,
        }
        if self.own_segment is not None:
            values["own_segment"] = self.own_segment
        return [
            {"layer": layer + 1, "head": head + 1, "pattern": str(patterns[layer, head])}
            | {name: _number(float(array[layer, head])) for name, array in values.items()}
            for layer, head in np.ndindex(*patterns.shape)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything but `accuracy` as plain values, for JSON.

        Returns
        -------
        dict
            All of `about`; ``rules``, ``margin``, ``least_arcs``, ``heterogeneous``,
            ``relations``, ``trees`` and ``heads``.
        """
        return {
            **self.about,
            "rules": self.rules.describe(),
            "margin": MARGIN,
            "least_arcs": LEAST_ARCS,
            "heterogeneous": self.heterogeneous(),
            "relations": list(self.relations),
            "trees": list(self.trees),
            "heads": self.head_rows(),
        }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
