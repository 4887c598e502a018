"""The pattern of a head by explicit rules: diagonal, vertical, both, block, heterogeneous."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError

PATTERNS = ("diagonal", "vertical", "vertical+diagonal", "block", "heterogeneous")
"""The five patterns of Kovaleva et al. (2019), 'Revealing the dark secrets of BERT', figure 1."""


@dataclass(frozen=True, slots=True)
class PatternRules:
    """The rules that define the patterns."""

    mainly: float = 0.5
    partly: float = 0.25  # For vertical+diagonal, the least share of each
    within: float = 0.9

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise ScoreError(f"{name} must be between 0 and 1, got {value}")

    def name(
        self,
        near: NDArray[np.float64],
        delimiters: NDArray[np.float64],
        own_segment: NDArray[np.float64] | None = None,
    ) -> NDArray[np.str_]:
        """Name the pattern of each head."""
        drawn = near + delimiters >= self.mainly
        both = np.minimum(near, delimiters) >= self.partly
        block = np.full(near.shape, own_segment is not None and own_segment >= self.within)
        return np.select(
            [drawn & both, drawn & (near >= delimiters), drawn, block],
            ["vertical+diagonal", "diagonal", "vertical", "block"],
            "heterogeneous",
        )

    def describe(self) -> str:
        """Describe the rules in one line."""
        return (
            "near words (the word itself, its neighbours) and delimiters (special tokens, the "
            f"first position, punctuation) get at least {100 * self.mainly:g}% of a head's "
            f"attention: vertical+diagonal if each gets at least {100 * self.partly:g}%, otherwise "
            f"diagonal or vertical, whichever gets more; other heads: block if at least "
            f"{100 * self.within:g}% of the attention between words is within one of two "
            f"segments, otherwise heterogeneous"
        )
