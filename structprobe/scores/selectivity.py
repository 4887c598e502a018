"""Selectivity: how far a score on the real trees is above that on a control task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from structprobe.errors import ScoreError
from structprobe.scores.intervals import check_resampling, quantile_bounds, resamples
from structprobe.scores.result import Scores
from structprobe.scores.table import column, estimates


@dataclass(frozen=True, slots=True)
class Selectivity:
    """The difference of a score between the real trees and a control task.

    Attributes
    ----------
    metric : str
        The score.
    value : float
        The score on the real trees minus that on the control task.
    low, high : float
        The percentile interval of the difference over sentences.
    """

    metric: str
    value: float
    low: float
    high: float


def selectivity(
    real: Scores,
    control: Scores,
    metric: str = "uuas",
    *,
    n: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> Selectivity:
    """Compute the selectivity of a probe (Hewitt & Liang 2019, section 2.2).

    The real trees and those of the control task are over the same sentences, and both scores are
    computed on the same resamples of them.

    Parameters
    ----------
    real, control : Scores
        The scores on the real trees and on the control task, by the same protocol.
    metric, n, level, random_state
        As for `Scores.interval`.

    Returns
    -------
    Selectivity
        The difference, with its interval.

    Raises
    ------
    ScoreError
        If the sentences or protocols differ, or one of them has no such score.
    """
    check_resampling(n, level)
    same = real.protocol == control.protocol and len(real.table) == len(control.table)
    if not same or (column(real.table, "words") != column(control.table, "words")).any():
        hint = "score both on the same sentences in the same order, with the same punct"
        raise ScoreError("the real trees and the control task have other sentences", hint=hint)
    value = float(estimates(real.table, metric)[0] - estimates(control.table, metric)[0])
    if np.isnan(value):
        name = "control task has" if np.isnan(estimates(control.table, metric)[0]) else "trees have"
        raise ScoreError(f"the {name} no {metric}: there was nothing to score")
    draws = [
        estimates(real.table, metric, weights) - estimates(control.table, metric, weights)
        for weights in resamples(len(real.table), n, random_state)
    ]
    return Selectivity(metric, value, *quantile_bounds(np.concatenate(draws), level))
