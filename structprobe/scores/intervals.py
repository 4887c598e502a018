"""Bootstrap over sentences: intervals of a score and a paired test of two systems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError
from structprobe.scores.table import column, estimates

if TYPE_CHECKING:
    from structprobe.scores.result import Scores

_WEIGHTS_AT_ONCE = 1 << 22  # of resampled tables, to bound memory
_ROUNDING = 1e-12  # differences closer than this are ties, so that rounding decides nothing


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What a paired bootstrap test found.

    Attributes
    ----------
    metric : str
        The score that was compared.
    a, b : float
        Its value for either system.
    difference : float
        ``a - b``.
    low, high : float
        The percentile interval of the difference.
    p_value : float
        How likely a difference at least as large, in either direction, is if there is none.
    n : int
        The number of resamples.
    """

    metric: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int


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
    _check(n, level)
    if np.isnan(estimates(table, metric)).all():
        return None
    draws = np.concatenate(
        [estimates(table, metric, weights) for weights in _resamples(len(table), n, random_state)]
    )
    return _bounds(draws, level)


def paired_bootstrap(
    a: Scores,
    b: Scores,
    metric: str = "uuas",
    *,
    n: int = 10_000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> PairedTest:
    """Test whether two systems differ in a score on the same sentences.

    The same resamples of sentences score both. The resampled differences d*, shifted to the null
    hypothesis of no difference, are compared with the observed d: the p-value is the share of
    resamples with ``|d* - d| >= |d|``, the two-sided form of Berg-Kirkpatrick, Burkett &
    Klein (2012, An Empirical Investigation of Statistical Significance in NLP, section 2), with
    one added above and below so that it is never 0 (Davison & Hinkley 1997, Bootstrap Methods
    and their Application, section 4.2.3).

    Parameters
    ----------
    a, b : Scores
        Of the two systems, on the same gold, in the same order, by the same protocol.
    metric : str
        One of ``uuas``, ``uas``, ``las``, ``dspr``, ``nspr``, ``root_acc``.
    n : int
        The number of resamples.
    level : float
        The share of resamples between the bounds of the difference.
    random_state : int, Generator or None
        Seeds the draws; None draws differently each time.

    Returns
    -------
    PairedTest
        The values, the difference with its interval, and the p-value.

    Raises
    ------
    ScoreError
        If the two were not scored on the same sentences by the same protocol, if either has
        nothing scored, there is no such score, or `n` or `level` is out of range.
    """
    _check(n, level)
    _check_same_sentences(a, b)
    value_a, value_b = (float(estimates(scores.table, metric)[0]) for scores in (a, b))
    if np.isnan(value_a) or np.isnan(value_b):
        name = "a" if np.isnan(value_a) else "b"
        raise ScoreError(f"system {name} has no {metric}: nothing was scored")
    difference = value_a - value_b
    draws = np.concatenate(
        [
            estimates(a.table, metric, weights) - estimates(b.table, metric, weights)
            for weights in _resamples(len(a.table), n, random_state)
        ]
    )
    draws = draws[~np.isnan(draws)]
    extreme = np.abs(draws - difference) >= abs(difference) - _ROUNDING
    p_value = (1 + int(extreme.sum())) / (1 + len(draws))
    low, high = _bounds(draws, level)
    return PairedTest(metric, value_a, value_b, difference, low, high, p_value, len(draws))


def _resamples(
    n_sentences: int, n: int, random_state: int | np.random.Generator | None
) -> Iterator[NDArray[np.float64]]:
    """Draw how often each sentence is taken in each resample, some resamples at a time."""
    generator = np.random.default_rng(random_state)
    at_once = max(1, _WEIGHTS_AT_ONCE // n_sentences)
    for begin in range(0, n, at_once):
        b = min(at_once, n - begin)
        drawn = generator.integers(n_sentences, size=(b, n_sentences))
        drawn += np.arange(b)[:, None] * n_sentences
        taken = np.bincount(drawn.ravel(), minlength=b * n_sentences)
        yield taken.reshape(b, n_sentences).astype(np.float64)


def _bounds(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    return float(low), float(high)


def _check(n: int, level: float) -> None:
    if n < 1:
        raise ScoreError(f"{n} resamples", hint="give n of at least 1")
    if not 0.0 < level < 1.0:
        raise ScoreError(f"a level of {level}", hint="give a share between 0 and 1, such as 0.95")


def _check_same_sentences(a: Scores, b: Scores) -> None:
    """Refuse two systems whose sentences or protocols differ, as far as the counts can tell."""
    if a.protocol != b.protocol:
        raise ScoreError(f"two protocols: {a.protocol!r} against {b.protocol!r}")
    if len(a.table) != len(b.table):
        raise ScoreError(f"{len(a.table)} sentences against {len(b.table)}")
    for name in ("words", "kept", "edges"):
        differ = np.flatnonzero(column(a.table, name) != column(b.table, name))
        if len(differ):
            index = int(differ[0])
            raise ScoreError(
                f"sentence {index} (counted from 0) has {column(a.table, name)[index]:.0f} {name} "
                f"against {column(b.table, name)[index]:.0f}",
                hint="score both systems on the same gold sentences in the same order",
            )
