"""Families of paired tests: all pairs of several systems, corrected, and as letters."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import Hint, ScoreError, counted, unknown_name
from structprobe.scores.intervals import check_resampling
from structprobe.scores.paired import Draws, check_comparable
from structprobe.scores.result import Scores

CORRECTIONS = ("holm", "bh", "none")


@dataclass(frozen=True, slots=True)
class Pair:
    """The comparison of two systems.

    Attributes
    ----------
    a, b : str
        The names of the systems.
    difference : float
        The score of `a` minus that of `b`.
    low, high : float
        The percentile bootstrap interval of the difference, not corrected for the number of pairs.
    p_value, p_corrected : float
        The p-value before and after the correction for the number of pairs.
    differs : bool
        Whether the corrected p-value is at most 1 minus the level.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    differs: bool


@dataclass(frozen=True, slots=True)
class PairwiseTests:
    """The comparisons of all pairs of several systems in one score.

    Attributes
    ----------
    metric, test, correction, level, n
        The arguments of `pairwise_tests`.
    values : dict of str to float
        The score of each system, the highest first.
    pairs : list of Pair
        All pairs; `a` is the system with the higher score.
    letters : dict of str to str
        The letters of each system (a compact letter display): two systems share a letter if and
        only if they do not differ.
    """

    metric: str
    test: str
    correction: str
    level: float
    n: int
    values: Mapping[str, float]
    pairs: Sequence[Pair]
    letters: Mapping[str, str]


def pairwise_tests(
    systems: Mapping[str, Scores],
    metric: str = "uuas",
    *,
    test: str = "bootstrap",
    correction: str = "holm",
    n: int = 10_000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
) -> PairwiseTests:
    """Test which of several systems differ in a score on the same sentences.

    All pairs are tested on the same resamples or swaps. With few sentences (or few of each length,
    for DSpr. and NSpr.), the bootstrap finds slightly more false differences than its level allows.

    Parameters
    ----------
    systems : mapping of str to Scores
        At least two systems by name, scored on the same gold sentences by the same protocol.
    metric : {"uuas", "uas", "las", "clas", "dspr", "nspr", "root_acc"}
        The score.
    test : {"bootstrap", "randomisation"}
        The test: that of `paired_bootstrap` or of `paired_randomisation`.
    correction : {"holm", "bh", "none"}
        How p-values are corrected for the number of pairs, see `correct_p_values`.
    n, level, random_state
        As for `paired_bootstrap`; systems differ if the corrected p-value is at most ``1 - level``.

    Returns
    -------
    PairwiseTests
        The scores, the tests of all pairs, and the letters.

    Raises
    ------
    ScoreError
        If there are fewer than two systems, or the systems cannot be compared (see
        `paired_bootstrap`), or `metric`, `test`, `correction`, `n` or `level` is invalid; or if `n`
        is so small that no pair could differ after Holm's correction.
    """
    check_resampling(n, level)
    _check_correction(correction)
    if len(systems) < 2:
        told = f"only one system to compare, {next(iter(systems))!r}" if systems else "no systems"
        raise ScoreError(told, hint="give two or more")
    (first, scores), *others = systems.items()
    for name, other in others:
        try:
            check_comparable(scores, other, metric, (repr(first), repr(name)))
        except ScoreError as error:
            raise ScoreError(error.what, where=f"{first} and {name}", hint=error.hint) from error
    n_pairs = len(systems) * (len(systems) - 1) // 2
    _check_fine_enough(n, level, n_pairs, correction)
    draws = Draws.of([*systems.values()], metric, test, n, random_state)
    names = [*systems]
    # The highest first; of equal ones, in the given order.
    places = sorted(range(len(names)), key=lambda at: -draws.observed[at])
    both = [*combinations(places, 2)]
    tests = [draws.test(a, b, level) for a, b in both]
    corrected = correct_p_values([one.p_value for one in tests], correction).tolist()
    pairs = [
        Pair(names[a], names[b], one.difference, one.low, one.high, one.p_value, p,
             differs=p <= 1.0 - level)
        for (a, b), one, p in zip(both, tests, corrected, strict=True)
    ]  # fmt: skip
    values = {names[at]: float(draws.observed[at]) for at in places}
    letters = letter_display([*values], [(one.a, one.b) for one in pairs if one.differs])
    return PairwiseTests(metric, test, correction, level, n, values, pairs, letters)


def correct_p_values(p_values: ArrayLike, correction: str = "holm") -> NDArray[np.float64]:
    """Correct p-values for multiple testing.

    Parameters
    ----------
    p_values : array_like of float, shape (n,)
        The p-values of a family of tests.
    correction : {"holm", "bh", "none"}
        ``"holm"`` keeps the probability of any false difference in the family at the level (Holm
        1979, A Simple Sequentially Rejective Multiple Test Procedure); ``"bh"`` keeps the expected
        share of false ones among the differences found (Benjamini & Hochberg 1995, Controlling the
        False Discovery Rate); ``"none"`` leaves the values as they are.

    Returns
    -------
    ndarray of float, shape (n,)
        The corrected p-values, at most 1, to be compared with the uncorrected significance level.

    Raises
    ------
    ScoreError
        If `correction` is unknown, or a value is not between 0 and 1.
    """
    _check_correction(correction)
    given = np.asarray(p_values, dtype=float)  # (n,)
    if wrong := [value for value in given.ravel().tolist() if not 0.0 <= value <= 1.0]:
        raise ScoreError(f"p-value {wrong[0]} is not between 0 and 1")
    if correction == "none" or not len(given):
        return given.copy()
    if correction == "bh":
        from scipy.stats import false_discovery_control  # here, since it takes long to import

        controlled: NDArray[np.float64] = false_discovery_control(given)
        return controlled
    order = np.argsort(given, kind="stable")
    steps = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def letter_display(names: Sequence[str], differing: Collection[tuple[str, str]]) -> dict[str, str]:
    """Give systems letters, so that two share one if and only if they do not differ.

    Known as a compact letter display (Piepho 2004, An Algorithm for a Letter-Based Representation
    of All-Pairwise Comparisons).

    Parameters
    ----------
    names : sequence of str
        The systems, the highest score first; the first has the letter a.
    differing : collection of (str, str)
        The pairs that differ.

    Returns
    -------
    dict of str to str
        The letters of each system, such as ``"ab"``; after 52 letters ``"a1"`` and so on.

    Examples
    --------
    >>> letter_display(["one", "two", "three"], [("one", "three")])
    {'one': 'a', 'two': 'ab', 'three': 'b'}
    """
    # A letter is a set of systems of which no two differ, as large as it can be. Insert-and-absorb
    # (Piepho 2004) makes all such sets, of which there can be exponentially many; here one is made
    # only for a pair that no set has yet, so that there are at most as many as pairs (clique
    # covers, Gramm et al. 2007).
    place = {name: at for at, name in enumerate(names)}
    alike = np.ones((len(names), len(names)), dtype=bool)
    for one, other in differing:
        alike[place[one], place[other]] = alike[place[other], place[one]] = False
    sets: list[NDArray[np.bool_]] = []
    left = alike.copy()  # pairs that no set has yet, each system with itself among them
    while left.any():
        first = np.argwhere(left)[0]
        own = np.zeros(len(names), dtype=bool)
        own[first] = True
        free = alike[first].all(axis=0)
        while (free & ~own).any():
            gains = left[own].sum(axis=0)  # pairs that each system would add
            chosen = np.argmax(np.where(free & ~own, gains, -1))
            own[chosen] = True
            free &= alike[chosen]
        left[np.ix_(own, own)] = False
        sets.append(own)
    count = np.sum([np.outer(own, own) for own in sets], axis=0)
    kept = []
    for own in sets:  # without those whose pairs are all in others
        if (count[own][:, own] > 1).all():
            count -= np.outer(own, own)
        else:
            kept.append(own)
    kept.sort(key=lambda own: (~own).tolist())
    shown = dict.fromkeys(names, "")
    for number, own in enumerate(kept):
        again, at = divmod(number, len(string.ascii_letters))
        letter = string.ascii_letters[at] + (str(again) if again else "")
        for name, has in zip(names, own, strict=True):
            shown[name] += letter * bool(has)
    return shown


def _check_correction(correction: str) -> None:
    if correction not in CORRECTIONS:
        raise ScoreError(unknown_name("correction", correction, CORRECTIONS))


def _check_fine_enough(n: int, level: float, n_pairs: int, correction: str) -> None:
    """Refuse resamples so few that the smallest p-value is too large for any pair to differ."""
    times = n_pairs if correction == "holm" else 1
    if (least := times / (n + 1)) > 1.0 - level:
        what = f"with n={n} no p-value of {counted(n_pairs, 'pair')} can be below {least:.2g}"
        what += f", so that none could differ at {1.0 - level:.2g}"
        enough = int(np.ceil(times / (1.0 - level)))
        hint = Hint(f"use n={enough} or more", shell=f"use --resamples {enough} or more")
        raise ScoreError(what, hint=hint)
