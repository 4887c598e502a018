"""What a head attends to: the shares of attention on neighbours, delimiters and so on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError

TARGETS = {
    "itself": "the word itself",
    "previous": "the previous word, for words that have one",
    "next": "the next word, for words that have one",
    "special": "special tokens",
    "first": "the first position that the model reads, a special token or a subword",
    "punct": "punctuation",
    "end": "the last word of the sentence",
    "near": "the word itself and its two neighbours",
    "delimiters": "special tokens, the first position and punctuation, unless near",
}
"""The targets of attention; some overlap, such as the last word and punctuation."""

_PAIRS = ("itself", "previous", "next", "punct", "end", "near", "delimiters", "between")


class TargetSums:
    """The targets of the attention of words, summed over batches.

    Shares are of the whole attention of a word, special tokens included, averaged over all words.
    (Raganato & Tiedemann 2018; Clark et al. 2019, section 3; Kovaleva et al. 2019.)
    """

    def __init__(self, n_layers: int, n_heads: int, *, first_is_special: bool) -> None:
        self.first_is_special = first_is_special
        names = (*_PAIRS, "special", "first", "entropy", "own_segment")
        self._sums = {name: np.zeros((n_layers, n_heads)) for name in names}
        self._n_words = self._n_neighbours = 0
        self._segmented = False

    def add(
        self,
        weights: NDArray[np.floating],
        lengths: NDArray[np.integer],
        *,
        special: NDArray[np.floating],
        first: NDArray[np.floating],
        punct: NDArray[np.bool_],
        segments: NDArray[np.integer] | None = None,
    ) -> None:
        """Add a padded batch."""
        check_weights(weights, punct=punct, **({} if segments is None else {"segments": segments}))
        pairs = self._pairs(lengths, punct)
        sums = pair_sums(weights, np.stack([pairs[name] for name in _PAIRS], axis=1))
        for name, found in zip(_PAIRS, sums, strict=True):
            self._sums[name] += found
        on_special = special.sum(axis=(0, -1), dtype=np.float64)
        self._sums["special"] += on_special
        self._sums["delimiters"] += on_special
        self._sums["first"] += first.sum(axis=(0, -1), dtype=np.float64)
        self._sums["entropy"] += _entropies(weights, special)
        self._n_words += int(lengths.sum())
        self._n_neighbours += int((lengths - 1).sum())
        if segments is not None:
            self._segmented = True
            own = segments[:, :, None] == segments[:, None, :]
            self._sums["own_segment"] += pair_sums(weights, own[:, None])[0]

    @property
    def shares(self) -> dict[str, NDArray[np.float64]]:
        """Shares (n_layers, n_heads) by the names of `TARGETS`; NaN if there are no words."""
        counts = dict.fromkeys(TARGETS, self._n_words)
        counts |= {"previous": self._n_neighbours, "next": self._n_neighbours}
        return {name: self._sums[name] / (counts[name] or np.nan) for name in TARGETS}

    @property
    def entropy(self) -> NDArray[np.float64]:
        """Mean entropy (n_layers, n_heads) of the attention of a word, in nats."""
        # Clark et al. (2019), section 3.3, over words, with special tokens as one target.
        return self._sums["entropy"] / (self._n_words or np.nan)

    @property
    def own_segment(self) -> NDArray[np.float64] | None:
        """Share of the attention between words within one segment; None without segments."""
        if not self._segmented:
            return None
        between = self._sums["between"]
        return self._sums["own_segment"] / np.where(between > 0, between, np.nan)

    def _pairs(
        self, lengths: NDArray[np.integer], punct: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.bool_]]:
        """Give, for each target, the pairs (i, j) where `j` is that target of `i` (b, n, n)."""
        b, n = punct.shape
        words = np.arange(n)
        away = words - words[:, None]  # (n, n): j - i
        near = np.abs(away) <= 1
        delimiter = punct | (False if self.first_is_special else words == 0)
        pairs = {
            "itself": away == 0,
            "previous": away == -1,
            "next": away == 1,
            "punct": punct[:, None],
            "end": (words == lengths[:, None] - 1)[:, None],
            "near": near,
            "delimiters": delimiter[:, None] & ~near,
            "between": np.True_,
        }
        return {name: np.broadcast_to(mask, (b, n, n)) for name, mask in pairs.items()}


def _entropies(weights: NDArray[np.floating], special: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum over words of the entropy of their attention (n_layers, n_heads)."""
    total = np.zeros(weights.shape[1:3])
    for part in (weights, special):
        logs = np.log(np.where(part > 0, part, 1))
        total -= (part * logs).sum(axis=tuple(range(3, part.ndim))).sum(axis=0, dtype=np.float64)
    return total


def pair_sums(weights: NDArray[np.floating], pairs: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum the attention on pairs of words, for several sets of pairs together."""
    # weights (b, n_layers, n_heads, n, n), pairs (b, k, n, n) -> (k, n_layers, n_heads)
    b, k, n, _ = pairs.shape
    chosen = pairs.reshape(b, k, n * n).swapaxes(1, 2).astype(weights.dtype)  # (b, n * n, k)
    sums = weights.reshape(b, -1, n * n) @ chosen  # (b, n_layers * n_heads, k)
    total: NDArray[np.float64] = sums.sum(axis=0, dtype=np.float64)
    return total.T.reshape(k, *weights.shape[1:3])


def check_weights(weights: NDArray[np.floating], **beside: NDArray[Any]) -> None:
    """Reject attention whose shape does not match the other arrays."""
    # weights (b, n_layers, n_heads, n, n), **beside (b, n)
    shape = weights.shape
    if len(shape) != 5 or shape[-1] != shape[-2]:
        raise ScoreError(
            f"attention has shape {shape}", hint="it must be (b, n_layers, n_heads, n, n), padded"
        )
    for name, array in beside.items():
        if array.shape != (shape[0], shape[-1]):
            raise ScoreError(
                f"{name} has shape {array.shape}, but attention has shape {shape}",
                hint="pass one value per word, padded like the attention",
            )
