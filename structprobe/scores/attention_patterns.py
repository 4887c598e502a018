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
    """When a head has which pattern.

    Kovaleva et al. (2019) let a classifier learn the patterns from pictures labelled by hand; these
    rules say in numbers what their labels say in words. They look at where the attention of words
    goes, averaged over words: to near words (the word itself and its two neighbours: the diagonal)
    and to delimiters that are not near (special tokens, the first position and punctuation, which
    draw vertical stripes).

    Attributes
    ----------
    mainly : float
        A head is diagonal, vertical or both where near words and delimiters together draw at least
        this share of its attention.
    partly : float
        It is both where each of the two draws at least this share; else what draws more.
    within : float
        Of the other heads, where the model was given two segments, those are block whose attention
        between words stays within a word's own segment by at least this share. All that are left
        are heterogeneous.

    Raises
    ------
    ScoreError
        If one is no share.
    """

    mainly: float = 0.5
    partly: float = 0.25
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
        """Name the pattern of each head.

        Parameters
        ----------
        near, delimiters : ndarray of float, shape (n_layers, n_heads)
            Shares as `structprobe.scores.attention_targets.TargetSums` gives them.
        own_segment : ndarray of float, shape (n_layers, n_heads), optional
            The same; None where no sentence has two segments.

        Returns
        -------
        ndarray of str, shape (n_layers, n_heads)
            Names out of `PATTERNS`.

        Examples
        --------
        >>> near, delimiters = np.array([[0.7, 0.1, 0.4, 0.3]]), np.array([[0.1, 0.8, 0.3, 0.1]])
        >>> PatternRules().name(near, delimiters).tolist()
        [['diagonal', 'vertical', 'vertical+diagonal', 'heterogeneous']]
        """
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
        """Say the rules in one line.

        Returns
        -------
        str
            The line, without a stop.
        """
        return (
            f"near words (itself, its neighbours) and delimiters (special tokens, the first "
            f"position, punctuation) draw at least {100 * self.mainly:g} % of a head's attention: "
            f"vertical+diagonal where each draws at least {100 * self.partly:g} %, else diagonal "
            f"or vertical, what draws more; other heads: block where at least "
            f"{100 * self.within:g} % of attention between words stays within one of two segments, "
            f"else heterogeneous"
        )
