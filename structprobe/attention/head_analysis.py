"""`HeadAnalysis`: the analysis of the attention heads of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.patterns import PATTERNS, PatternRules
from structprobe.attention.relations import LEAST_ARCS, MARGIN


@dataclass(frozen=True, eq=False)
class HeadAnalysis:
    """The result of `structprobe.analyse_heads`, on one part of a treebank.

    Layers and heads are counted from 0 in arrays and from 1 in rows: layer `l` is the attention
    that computes layer `l` of the model. Arrays are (n_layers, n_heads) unless noted, with only the
    layers that have attention.

    Attributes
    ----------
    about : mapping of str to plain values
        ``model``, ``train``, ``chosen_on`` (the part on which heads were chosen), ``part`` and
        ``treebank`` (the reported data), ``n_sentences``, ``n_words``, ``punct``,
        ``first_is_special`` (whether the first position is a special token), ``seed``, ``n_pairs``
        (of sentences read as two segments, or None), ``cpu_seconds`` and ``wall_seconds``.
    rules : PatternRules
        The definition of the patterns.
    relations : sequence of dict
        Best heads and offsets, see `structprobe.attention.relations.relation_rows`.
    accuracy : mapping of str to ndarray, shape (2, n_layers, n_heads)
        The accuracy of every head for each of these relations, by direction.
    shares : mapping of str to ndarray
        What each head attends to, by the names of `structprobe.attention.targets.TARGETS`.
    entropy : ndarray
        Mean entropy of the attention of words, in nats.
    alignment, shuffled : ndarray
        Share of the attention between words that is on arcs: of the gold trees, and of the same
        trees with shuffled words.
    trees : sequence of dict
        The best head of each layer for each way of decoding trees from a head.
    own_segment : ndarray or None
        Share of the attention between words within one of two segments, if pairs were read.
    layers : sequence of int
        The layers in the arrays, from 1; all by default.
    """

    about: Mapping[str, Any]
    rules: PatternRules
    relations: Sequence[dict[str, Any]]
    accuracy: Mapping[str, NDArray[np.float64]]  # (2, n_layers, n_heads)
    shares: Mapping[str, NDArray[np.float64]]  # (n_layers, n_heads)
    entropy: NDArray[np.float64]  # (n_layers, n_heads): in nats
    alignment: NDArray[np.float64]  # (n_layers, n_heads)
    shuffled: NDArray[np.float64]  # (n_layers, n_heads)
    trees: Sequence[dict[str, Any]]
    own_segment: NDArray[np.float64] | None = None  # (n_layers, n_heads)
    layers: Sequence[int] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", self.layers or range(1, len(self.entropy) + 1))

    @property
    def patterns(self) -> NDArray[np.str_]:
        """The pattern of each head (n_layers, n_heads), one of `PATTERNS`."""
        return self.rules.name(self.shares["near"], self.shares["delimiters"], self.own_segment)

    @property
    def pattern_counts(self) -> dict[str, int]:
        """The number of heads with each pattern."""
        return {name: int((self.patterns == name).sum()) for name in PATTERNS}

    def heterogeneous(self, mainly: float | None = None) -> float:
        """Give the share of heads that are heterogeneous.

        Parameters
        ----------
        mainly : float, optional
            A threshold to use instead of that of the rules.

        Returns
        -------
        float
            A fraction of all heads.

        Raises
        ------
        ScoreError
            If `mainly` is not between 0 and 1.
        """
        rules = self.rules if mainly is None else replace(self.rules, mainly=mainly)
        return float(np.mean(replace(self, rules=rules).patterns == "heterogeneous"))

    def head_rows(self) -> list[dict[str, Any]]:
        """Give one row of plain values for each head.

        Returns
        -------
        list of dict
            ``layer`` and ``head``, from 1; ``pattern``; the shares by name; ``entropy``,
            ``alignment`` and ``shuffled``, None if a head attends to no counted word; if pairs were
            read, also ``own_segment``.
        """
        names = ("entropy", "alignment", "shuffled", "own_segment")
        values = {**self.shares, **{name: getattr(self, name) for name in names}}
        values = {name: array for name, array in values.items() if array is not None}
        patterns = self.patterns
        return [
            {"layer": self.layers[layer], "head": head + 1, "pattern": str(patterns[layer, head])}
            | {name: _number(float(array[layer, head])) for name, array in values.items()}
            for layer, head in np.ndindex(*patterns.shape)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything but `accuracy` as plain values, for JSON.

        Returns
        -------
        dict
            `about`, ``rules``, ``margin``, ``least_arcs``, ``heterogeneous``, ``relations``,
            ``trees`` and ``heads``.
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
