"""Sums of attention on pairs of words, by layer and head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError


def pair_sums(weights: NDArray[np.floating], pairs: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sum the attention on pairs of words, for several sets of pairs together."""
    # weights (b, n_layers, n_heads, n, n), pairs (b, k, n, n) -> (k, n_layers, n_heads)
    b, n_layers, n_heads, n, _ = weights.shape
    k = pairs.shape[1]
    chosen = pairs.reshape(b, k, n * n).swapaxes(1, 2).astype(weights.dtype)  # (b, n * n, k)
    sums = weights.reshape(b, n_layers * n_heads, n * n) @ chosen  # (b, n_layers * n_heads, k)
    total: NDArray[np.float64] = sums.sum(axis=0, dtype=np.float64)
    return total.T.reshape(k, n_layers, n_heads)


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
