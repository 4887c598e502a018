"""The pattern of a head by stated rules: diagonal, vertical, both, block, heterogeneous."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError

PATTERNS = ("diagonal", "vertical", "vertical+diagonal", "block", "heterogeneous")
"""The five patterns of Kovaleva et al. (2019), 'Revealing the dark secrets of BERT', figure 1."""


@dataclass(frozen=True, slots=True)
class PatternRules:
    """When a head has which pattern."""

    mainly: float = 0.5
    partly: float = 0.25  # It is both where each of the two draws at least this share
    within: float = 0.9

    def __post_init__(self) -> None:
        for name in ("mainly", "partly", "within"):
            if not 0 <= getattr(self, name) <= 1:
                raise ScoreError(
                    f"{name} is {getattr(self, name)}", hint="give a share from 0 to 1"
                )

    def name(
        self,
        near: NDArray[np.float64],
        delimiters: NDArray[np.float64],
        own_segment: NDArray[np.float64] | None = None,
    ) -> NDArray[np.str_]:
        """Name the pattern of each head."""
        none = np.zeros_like(near, dtype=np.bool_)
        drawn = near + delimiters >= self.mainly
        both = (near >= self.partly) & (delimiters >= self.partly)
        block = none if own_segment is None else own_segment >= self.within
        return np.select(
            [drawn & both, drawn & (near >= delimiters), drawn, block],
            ["vertical+diagonal", "diagonal", "vertical", "block"],
            "heterogeneous",
        )

    def describe(self) -> str:
        """Say the rules in one line."""
        return (
            f"near words (itself, its neighbours) and delimiters (special tokens, the first "
            f"position, punctuation) draw at least {100 * self.mainly:g} % of a head's attention: "
            f"vertical+diagonal where each draws at least {100 * self.partly:g} %, else diagonal "
            f"or vertical, what draws more; other heads: block where at least "
            f"{100 * self.within:g} % of attention between words stays within one of two segments, "
            f"else heterogeneous"
        )
