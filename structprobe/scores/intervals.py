"""Bootstrap over sentences: resampled counts, and confidence intervals of scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError
from structprobe.scores.table import estimates

_WEIGHTS_AT_ONCE = 1 << 22  # of resampled tables, to bound memory


def percentile_intervals(
    table: NDArray[np.float64],
    metrics: Sequence[str],
    *,
    n: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> dict[str, tuple[float, float] | None]:
    """Compute the percentile bootstrap intervals of scores, all from the same resamples."""
    # table (n_sentences, len(COLUMNS))
    check_resampling(n, level)
    scored = [metric for metric in metrics if not np.isnan(estimates(table, metric)).all()]
    draws: dict[str, list[NDArray[np.float64]]] = {metric: [] for metric in scored}
    for weights in resamples(len(table), n, random_state) if scored else ():
        for metric in scored:
            draws[metric].append(estimates(table, metric, weights))
    return {
        metric: quantile_bounds(np.concatenate(draws[metric]), level) if metric in draws else None
        for metric in metrics
    }


def resamples(
    n_sentences: int, n: int, random_state: int | np.random.Generator | None
) -> Iterator[NDArray[np.float64]]:
    """Draw the number of times each sentence is in each resample, some resamples at a time."""
    # -> (b, n_sentences)
    generator = np.random.default_rng(random_state)
    at_once = max(1, _WEIGHTS_AT_ONCE // n_sentences)
    for begin in range(0, n, at_once):
        b = min(at_once, n - begin)
        drawn = generator.integers(n_sentences, size=(b, n_sentences))
        drawn += np.arange(b)[:, None] * n_sentences
        taken = np.bincount(drawn.ravel(), minlength=b * n_sentences)
        yield taken.reshape(b, n_sentences).astype(np.float64)


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
