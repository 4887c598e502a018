"""Paired tests: whether two systems differ on the same sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError, counted, unknown_name
from structprobe.scores.intervals import check_resampling, quantile_bounds, resamples, swaps
from structprobe.scores.result import Scores, estimates_of
from structprobe.scores.table import METRICS, column, divide, wholes_of

TESTS = ("bootstrap", "randomisation")
_SAME_HINT = "score both systems on the same gold sentences in the same order"
_ROUNDING = 1e-12  # differences closer than this are ties, so that rounding decides nothing


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The result of a paired test of two systems.

    Attributes
    ----------
    metric : str
        The score that was compared.
    a, b, difference : float
        Its values for the two systems, and ``a - b``.
    low, high : float
        The percentile bootstrap interval of the difference.
    p_value : float
        The probability of a difference at least as large, in either direction, if there is none.
    n : int
        The number of resamples, or of random swaps.
    """

    metric: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int


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

    Both systems are scored on the same resamples of sentences. They must have the score on the same
    sentences: DSpr. and NSpr. are undefined where a prediction is constant, LAS and root accuracy
    where it has no relations or no root. The p-value is the proportion of resamples whose
    difference d* satisfies ``|d* - d| >= |d|`` for the observed difference d: the two-sided form of
    Berg-Kirkpatrick, Burkett & Klein (2012, An Empirical Investigation of Statistical Significance
    in NLP, section 2), with one added to numerator and denominator so that it is never 0 (Davison &
    Hinkley 1997, Bootstrap Methods and their Application, section 4.2.3).

    Parameters
    ----------
    a, b : Scores
        The scores of the two systems on the same gold sentences, by the same protocol.
    metric, n, level, random_state
        As for `Scores.interval`; `level` is of the interval of the difference.

    Returns
    -------
    PairedTest
        The values, the difference with its interval, and the p-value.

    Raises
    ------
    ScoreError
        If the systems were not scored on the same sentences (and, for DSpr., words) by the same
        protocol, if one of them has no such score, or if `metric`, `n` or `level` is invalid.
    """
    check_resampling(n, level)
    check_comparable(a, b, metric)
    return Draws.of([a, b], metric, "bootstrap", n, random_state).test(0, 1, level)


def paired_randomisation(
    a: Scores,
    b: Scores,
    metric: str = "uuas",
    *,
    n: int = 10_000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> PairedTest:
    """Test by approximate randomisation whether two systems differ on the same sentences.

    If the systems do not differ, their predictions for a sentence can be swapped. The p-value is
    the proportion of random swaps, each sentence with probability 1/2, whose difference is at least
    as large as the observed one, in either direction, with one added to numerator and denominator
    (Noreen 1989, Computer-Intensive Methods for Testing Hypotheses; Yeh 2000, More Accurate Tests
    for the Statistical Significance of Result Differences). Unlike the bootstrap, the test is
    exact on any number of sentences.

    Parameters
    ----------
    a, b, metric, n, level, random_state
        As for `paired_bootstrap`; `n` is also the number of swaps.

    Returns
    -------
    PairedTest
        The values, the difference with its bootstrap interval, and the p-value.

    Raises
    ------
    ScoreError
        As for `paired_bootstrap`.
    """
    check_resampling(n, level)
    check_comparable(a, b, metric)
    return Draws.of([a, b], metric, "randomisation", n, random_state).test(0, 1, level)


def selectivity(
    real: Scores,
    control: Scores,
    metric: str = "uuas",
    *,
    n: int = 1000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> PairedTest:
    """Compute the selectivity of a probe (Hewitt & Liang 2019, section 2.2).

    Selectivity is the score on the trees of the treebank minus that on the control task. Both have
    the same sentences, and both scores are computed on the same resamples of them.

    Parameters
    ----------
    real, control : Scores
        The scores on the trees of the treebank and on the control task, with the same protocol.
    metric, n, level, random_state
        As for `paired_bootstrap`.

    Returns
    -------
    PairedTest
        The two scores, their difference (the selectivity) and its interval.

    Raises
    ------
    ScoreError
        If the sentences or protocols differ, or one of them has no such score.
    """
    check_resampling(n, level)
    same = real.protocol == control.protocol and len(real.table) == len(control.table)
    if not same or (column(real.table, "words") != column(control.table, "words")).any():
        hint = "score both on the same sentences in the same order, with the same punct"
        raise ScoreError("the trees and the control task have different sentences", hint=hint)
    for name, scores in (("trees have", real), ("control task has", control)):
        if np.isnan(estimates_of(scores, metric)).all():
            raise ScoreError(f"the {name} no {metric}: there was nothing to score")
    return Draws.of([real, control], metric, "bootstrap", n, random_state).test(0, 1, level)


@dataclass(frozen=True, eq=False)
class Draws:
    """A score of several systems as observed, on resampled sentences and, if asked, swapped."""

    metric: str
    observed: NDArray[np.float64]  # (n_systems,)
    resampled: NDArray[np.float64]  # (n_systems, n)
    # The sum of a system's sentences, with the sign of each swap, over the whole. The difference of
    # two systems is that of the scores they have after the swaps, if their wholes are the same.
    swapped: NDArray[np.float64] | None  # (n_systems, n)
    # The wholes of an F1 depend on the prediction: of parts and wholes, the sums and signed sums.
    sums: NDArray[np.float64] | None = None  # (n_systems, 2, 1 + n)

    @classmethod
    def of(
        cls,
        systems: Sequence[Scores],
        metric: str,
        test: str,
        n: int,
        random_state: int | np.random.Generator | None,
    ) -> Draws:
        """Draw for systems that were scored on the same sentences."""
        if test not in TESTS:
            raise ScoreError(unknown_name("test", test, TESTS))
        n_sentences = len(systems[0].table)
        generator = np.random.default_rng(random_state)
        resampled = [
            [estimates_of(scores, metric, weights) for scores in systems]
            for weights in resamples(n_sentences, n, generator)
        ]
        drawn = cls(
            metric,
            np.array([estimates_of(scores, metric)[0] for scores in systems]),
            np.concatenate(resampled, axis=1),
            None,
        )
        if test != "randomisation":
            return drawn
        once, draws = np.ones((1, n_sentences)), swaps(n_sentences, n, generator)
        quotient = METRICS[metric]
        if quotient.predicted is None:
            swapped = [
                [estimates_of(scores, metric, signs, once) for scores in systems] for signs in draws
            ]
            return replace(drawn, swapped=np.concatenate(swapped, axis=1))
        both = np.array(
            [[column(one.table, quotient.part), wholes_of(one.table, metric)] for one in systems]
        )
        summed = [both @ signs.T for signs in chain([once], draws)]
        return replace(drawn, sums=np.concatenate(summed, axis=2))

    def test(self, a: int, b: int, level: float) -> PairedTest:
        """Test the difference of two systems, given by their places."""
        value_a, value_b = (float(self.observed[at]) for at in (a, b))
        difference = value_a - value_b
        draws = self.resampled[a] - self.resampled[b]
        draws = draws[~np.isnan(draws)]
        low, high = quantile_bounds(draws, level)
        # What differences are like if there is none.
        null = draws - difference
        if self.swapped is not None:
            null = self.swapped[a] - self.swapped[b]
        elif self.sums is not None:
            both = self.sums[a, :, :1] + self.sums[b, :, :1]  # (2, 1)
            turned = self.sums[a, :, 1:] - self.sums[b, :, 1:]  # (2, n)
            null = divide(*(both + turned)) - divide(*(both - turned))
        extreme = np.abs(null) >= abs(difference) - _ROUNDING
        p_value = (1 + int(extreme.sum())) / (1 + len(null))
        return PairedTest(self.metric, value_a, value_b, difference, low, high, p_value, len(null))


def check_comparable(a: Scores, b: Scores, metric: str, names: Sequence[str] = "ab") -> None:
    """Refuse two systems that cannot be compared in a score, as far as the counts can tell."""
    _check_same_sentences(a, b)
    for name, scores in zip(names, (a, b), strict=True):
        if np.isnan(estimates_of(scores, metric)[0]):
            raise ScoreError(f"system {name} has no {metric}: there was nothing to score")
    _check_same_scored(a, b, metric)


def _check_same_sentences(a: Scores, b: Scores) -> None:
    """Refuse two systems whose sentences or protocols differ."""
    if a.protocol != b.protocol:
        raise ScoreError(f"different protocols: {a.protocol!r} and {b.protocol!r}")
    if len(a.table) != len(b.table):
        raise ScoreError(f"different numbers of sentences: {len(a.table)} and {len(b.table)}")
    for name in ("words", "kept", "edges"):
        differ = np.flatnonzero(column(a.table, name) != column(b.table, name))
        if len(differ):
            index = int(differ[0])
            one, other = (f"{column(scores.table, name)[index]:.0f}" for scores in (a, b))
            told = f"{one} {name} in one and {other} in the other"
            raise ScoreError(f"sentence {index} (counted from 0) has {told}", hint=_SAME_HINT)
    arcs, others = (
        {length: found.total for length, found in scores.by_arc_length.items()} for scores in (a, b)
    )
    if arcs != others:
        length = min(key for key in {*arcs, *others} if arcs.get(key) != others.get(key))
        told = f"{arcs.get(length, 0)} in one and {others.get(length, 0)} in the other"
        what = f"the gold trees differ: {told} of their edges are {counted(length, 'word')} long"
        raise ScoreError(what, hint=_SAME_HINT)


def _check_same_scored(a: Scores, b: Scores, metric: str) -> None:
    """Refuse a score that one of the systems has on other sentences or words than the other."""
    whole = METRICS[metric].whole
    counts = [column(scores.table, whole) for scores in (a, b)]
    differ = np.flatnonzero(counts[0] != counts[1])
    if len(differ):
        told = " and ".join(f"{int((one > 0).sum()):,}" for one in counts)
        what = f"{metric} was scored on different sentences or words: on {told} sentences; they "
        what += f"first differ at sentence {int(differ[0])} (counted from 0)"
        hint = "score both systems on the sentences for which both have this score"
        raise ScoreError(what, hint=hint)
