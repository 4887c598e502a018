"""Resampling sentences: the bootstrap and its intervals, and swaps between two systems."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError

_WEIGHTS_AT_ONCE = 1 << 22  # of resampled tables, to bound memory


def resamples(
    n_sentences: int, n: int, random_state: int | np.random.Generator | None
) -> Iterator[NDArray[np.float64]]:
    """Draw the number of times each sentence is in each resample, some resamples at a time."""
    # -> (b, n_sentences)
    generator = np.random.default_rng(random_state)
    for b in _at_once(n_sentences, n):
        drawn = generator.integers(n_sentences, size=(b, n_sentences))
        drawn += np.arange(b)[:, None] * n_sentences
        taken = np.bincount(drawn.ravel(), minlength=b * n_sentences)
        yield taken.reshape(b, n_sentences).astype(np.float64)


def swaps(
    n_sentences: int, n: int, random_state: int | np.random.Generator | None
) -> Iterator[NDArray[np.float64]]:
    """Draw for each sentence whether two systems swap it (-1) or not (1), some draws at a time."""
    # -> (b, n_sentences)
    generator = np.random.default_rng(random_state)
    for b in _at_once(n_sentences, n):
        signs: NDArray[np.float64] = generator.choice([-1.0, 1.0], size=(b, n_sentences))
        yield signs


def _at_once(n_sentences: int, n: int) -> Iterator[int]:
    """Cut n draws into numbers of draws that are made at a time."""
    at_once = max(1, _WEIGHTS_AT_ONCE // n_sentences)
    for begin in range(0, n, at_once):
        yield min(at_once, n - begin)


def quantile_bounds(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the bounds of the central `level` of the resampled values."""
    # draws (n,)
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def check_resampling(n: int, level: float) -> None:
    """Check the number of resamples and the level."""
    if n < 1:
        raise ScoreError(f"n={n} resamples", hint="n must be at least 1")
    if not 0.0 < level < 1.0:
        raise ScoreError(
            f"level={level} is out of range", hint="choose 0 < level < 1, such as 0.95"
        )
