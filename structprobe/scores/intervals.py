"""Bootstrap over sentences: resamples of a table of counts, and the interval of a score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError
from structprobe.scores.table import estimates

_WEIGHTS_AT_ONCE = 1 << 22  # of resampled tables, to bound memory


def percentile_interval(
    table: NDArray[np.float64],
    metric: str,
    *,
    n: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> tuple[float, float] | None:
    """Compute the percentile bootstrap interval of a score over sentences.

    Sentences are drawn with replacement, as many as there are, and the score is taken anew from
    the sums of their counts (Efron & Tibshirani 1993, An Introduction to the Bootstrap,
    section 13.3). Resamples in which nothing is scored are left out.

    Parameters
    ----------
    table : ndarray of float64, shape (n_sentences, len(COLUMNS))
        The counts.
    metric : str
        One of `METRICS`.
    n : int
        The number of resamples.
    level : float
        The share of resamples between the bounds.
    random_state : int, Generator or None
        Seeds the draws; None draws differently each time.

    Returns
    -------
    (low, high) : tuple of float, or None
        Fractions; None where nothing is scored.

    Raises
    ------
    ScoreError
        If there is no such score, or `n` or `level` is out of range.
    """
    check_resampling(n, level)
    if np.isnan(estimates(table, metric)).all():
        return None
    draws = np.concatenate(
        [estimates(table, metric, weights) for weights in resamples(len(table), n, random_state)]
    )
    return quantile_bounds(draws, level)


def resamples(
    n_sentences: int, n: int, random_state: int | np.random.Generator | None
) -> Iterator[NDArray[np.float64]]:
    """Draw how often each sentence is taken in each resample, some resamples at a time.

    Parameters
    ----------
    n_sentences : int
        How many there are, and how many are drawn, with replacement.
    n : int
        The number of resamples.
    random_state : int, Generator or None
        Seeds the draws; None draws differently each time.

    Yields
    ------
    ndarray of float64, shape (b, n_sentences)
        How often each sentence is taken in the next b resamples.
    """
    generator = np.random.default_rng(random_state)
    at_once = max(1, _WEIGHTS_AT_ONCE // n_sentences)
    for begin in range(0, n, at_once):
        b = min(at_once, n - begin)
        drawn = generator.integers(n_sentences, size=(b, n_sentences))
        drawn += np.arange(b)[:, None] * n_sentences
        taken = np.bincount(drawn.ravel(), minlength=b * n_sentences)
        yield taken.reshape(b, n_sentences).astype(np.float64)


def quantile_bounds(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Give the bounds that hold a share of the resampled values between them.

    Parameters
    ----------
    draws : ndarray of float, shape (n,)
        A value of each resample; NaN where nothing was scored, which is left out.
    level : float
        The share between the bounds.

    Returns
    -------
    (low, high) : tuple of float
        The percentiles, with equal tails.
    """
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def check_resampling(n: int, level: float) -> None:
    """Refuse a number of resamples or a level that makes no interval.

    Parameters
    ----------
    n : int
        The number of resamples.
    level : float
        The share between the bounds.

    Raises
    ------
    ScoreError
        If `n` is below 1, or `level` not between 0 and 1.
    """
    if n < 1:
        raise ScoreError(f"{n} resamples", hint="give n of at least 1")
    if not 0.0 < level < 1.0:
        raise ScoreError(f"a level of {level}", hint="give a share between 0 and 1, such as 0.95")
