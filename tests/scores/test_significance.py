"""Randomisation, families of tests and letters against scipy, slow code and brute force."""

from __future__ import annotations

import re
from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats
from support.score_reference import Gold

from structprobe.errors import ScoreError
from structprobe.recoverers.random_tree import random_heads
from structprobe.scores import (
    Prediction,
    Protocol,
    Scores,
    correct_p_values,
    paired_bootstrap,
    paired_randomisation,
    pairwise_tests,
    score,
)
from structprobe.scores.paired import Draws
from structprobe.scores.pairwise import letter_display
from structprobe.scores.table import COLUMNS, METRICS, column, estimates

TESTS = {"bootstrap": paired_bootstrap, "randomisation": paired_randomisation}


RELATIONS = ("nsubj", "nsubj:pass", "obj", "case", "punct")  # content words and others


def bank(n_sentences, noises, seed=0):
    """Gold trees, and for each noise predictions with a share of wrong heads and noisy numbers."""
    generator = np.random.default_rng(seed)
    gold, found = [], [[] for _ in noises]
    for _ in range(n_sentences):
        n = int(generator.integers(5, 8))
        heads = random_heads(n, generator)
        deprels = generator.choice(RELATIONS, size=n)
        gold.append(Gold(heads, upos=("NOUN",) * n, deprels=tuple(deprels.tolist())))
        for noise, own in zip(noises, found, strict=True):
            wrong = generator.random(n) < noise
            changed, others = generator.random(n) < noise, generator.choice(RELATIONS, size=n)
            apart = np.abs(np.subtract.outer(heads, heads)) + generator.normal(size=(n, n)) * noise
            own.append(
                Prediction(
                    np.where(wrong, generator.integers(0, n + 1, size=n), heads),
                    distances=apart + apart.T,
                    depths=heads + generator.normal(size=n) * 5 * noise,
                    deprels=tuple(np.where(changed, others, deprels).tolist()),
                )
            )
    return gold, found


def equal_systems(n_systems, n_sentences, generator):
    """Systems that are right with the same probability, which depends on the sentence."""
    edges = generator.integers(1, 9, size=n_sentences)
    ease = generator.beta(4, 2, size=n_sentences)
    systems = []
    for _ in range(n_systems):
        table = np.zeros((n_sentences, len(COLUMNS)))
        for name in ("words", "kept"):
            column(table, name)[:] = edges + 1
        for name in ("edges", "rows"):
            column(table, name)[:] = edges
        column(table, "right_edges")[:] = generator.binomial(edges, ease)
        column(table, "row_sum")[:] = edges * generator.normal(ease, 0.2)
        systems.append(Scores(Protocol(), table, {}, {}))
    return systems


@pytest.mark.parametrize("metric", METRICS)
def test_randomisation_is_the_share_of_all_swaps(metric):
    gold, (one, other) = bank(5, [0.3, 0.6], seed=4)
    a, b = score(gold, one), score(gold, other)
    observed = getattr(a, metric) - getattr(b, metric)
    extreme = []
    for swapped in product([False, True], repeat=len(gold)):
        both = [(y, x) if swap else (x, y) for x, y, swap in zip(one, other, swapped, strict=True)]
        values = [getattr(score(gold, [pair[at] for pair in both]), metric) for at in (0, 1)]
        extreme.append(abs(values[0] - values[1]) >= abs(observed) - 1e-9)
    found = paired_randomisation(a, b, metric, n=20_000)
    assert found.difference == pytest.approx(observed)
    assert found.p_value == pytest.approx(np.mean(extreme), abs=0.015)
    assert found.n == 20_000


@pytest.mark.parametrize("metric", ["uuas", "dspr", "nspr"])
def test_randomisation_is_the_permutation_test_of_scipy(metric):
    gold, (one, other) = bank(60, [0.45, 0.5], seed=1)
    a, b = score(gold, one), score(gold, other)

    def statistic(x, y, axis):
        # x, y: for each sentence, which of the two systems it is taken of
        assert axis == -1
        both = np.concatenate([a.table, b.table])
        places = np.arange(len(gold))

        def of(which):
            rows = which.reshape(-1, len(gold)).astype(int)
            tables = (both[row * len(gold) + places] for row in rows)
            found = [estimates(table, metric)[0] for table in tables]
            return np.reshape(found, which.shape[:-1])

        return of(x) - of(y)

    theirs = scipy.stats.permutation_test(
        (np.zeros(len(gold)), np.ones(len(gold))), statistic, permutation_type="samples",
        n_resamples=3000, vectorized=True, random_state=0,
    )  # fmt: skip
    found = paired_randomisation(a, b, metric, n=20_000)
    assert 0.01 < found.p_value < 0.99
    assert found.difference == pytest.approx(theirs.statistic)
    assert found.p_value == pytest.approx(theirs.pvalue, abs=0.03)


def test_randomisation_has_the_interval_of_the_bootstrap_and_the_same_checks():
    gold, (one, other, far) = bank(40, [0.3, 0.4, 0.9])
    a, b = score(gold, one), score(gold, other)
    boot, random = paired_bootstrap(a, b, n=500), paired_randomisation(a, b, n=500)
    assert (random.low, random.high) == (boot.low, boot.high)
    assert random.p_value != boot.p_value
    assert paired_randomisation(b, a, n=500).p_value == random.p_value
    assert paired_randomisation(a, a, n=500).p_value == 1
    clear = paired_randomisation(a, score(gold, far), "uas", n=499)
    assert clear.p_value >= 1 / 500  # one added
    with pytest.raises(ScoreError, match="different numbers of sentences"):
        paired_randomisation(a, score(gold[1:], one[1:]))
    with pytest.raises(ScoreError, match=r"n=0 resamples"):
        paired_randomisation(a, b, n=0)
    with pytest.raises(ScoreError, match="unknown score 'f1'"):
        paired_randomisation(a, b, "f1")


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.6: times 4, 3, 2 and 1, each at least as large as the one before.
    found = correct_p_values([0.03, 0.01, 0.6, 0.02])
    np.testing.assert_allclose(found, [0.06, 0.04, 0.6, 0.06])
    np.testing.assert_allclose(correct_p_values([0.5, 0.9]), [1.0, 1.0])
    assert correct_p_values([], "holm").tolist() == []


def test_benjamini_hochberg_by_hand_and_by_scipy():
    # Sorted 0.01, 0.02, 0.03, 0.6: times 4/1, 4/2, 4/3 and 1, each at most the one after.
    found = correct_p_values([0.03, 0.01, 0.6, 0.02], "bh")
    np.testing.assert_allclose(found, [0.04, 0.04, 0.6, 0.04])
    given = np.random.default_rng(0).random(30) ** 3
    theirs = scipy.stats.false_discovery_control(given)
    np.testing.assert_allclose(correct_p_values(given, "bh"), theirs)
    assert (correct_p_values(given, "bh") <= correct_p_values(given, "holm")).all()
    np.testing.assert_array_equal(correct_p_values(given, "none"), given)


def test_corrections_of_nothing_that_is_a_p_value():
    with pytest.raises(ScoreError, match=r"unknown correction 'bonf'.*'holm', 'bh', 'none'"):
        correct_p_values([0.1], "bonf")
    for wrong in (-0.1, 1.5, np.nan):
        with pytest.raises(ScoreError, match="is not between 0 and 1"):
            correct_p_values([0.1, wrong])


def share_a_letter(letters, pair):
    """Tell whether two systems share a letter, where each is one character."""
    return bool(set(letters[pair[0]]) & set(letters[pair[1]]))


def fewest_letters(names, differing):
    """Find by trying all families of sets of systems how many letters are needed."""
    apart = [{*pair} for pair in differing]
    sets = [
        {*own}
        for size in range(1, len(names) + 1)
        for own in combinations(names, size)
        if not any(pair <= {*own} for pair in apart)
    ]
    sets = [own for own in sets if not any(own < other for other in sets)]
    needed = [{*pair} for pair in combinations(names, 2) if {*pair} not in apart]
    needed += [{name} for name in names]
    for number in range(1, len(sets) + 1):
        for family in combinations(sets, number):
            if all(any(pair <= own for own in family) for pair in needed):
                return number
    raise AssertionError


@pytest.mark.parametrize("seed", range(60))
def test_letters_are_shared_by_those_that_do_not_differ(seed):
    generator = np.random.default_rng(seed)
    names = list("vwxyz"[: 2 + seed % 4])
    pairs = [*combinations(names, 2)]
    differing = [pair for pair in pairs if generator.random() < generator.random()]
    letters = letter_display(names, differing)
    assert list(letters) == names
    assert all(letters.values())
    assert letters[names[0]].startswith("a")
    for pair in pairs:
        assert share_a_letter(letters, pair) != (pair in differing)
    assert len(set("".join(letters.values()))) == fewest_letters(names, differing)


def test_letters_of_many_systems():
    names = [f"layer {number}" for number in range(60)]
    every = letter_display(names, [*combinations(names, 2)])
    assert every["layer 0"] == "a"
    assert every["layer 51"] == "Z"
    assert every["layer 52"] == "a1"
    assert len(set(every.values())) == 60
    # Pairs that differ apart from one another: all maximal sets would be two to the thirty.
    differing = [*zip(names[::2], names[1::2], strict=True)]
    letters = letter_display(names, [pair[::-1] for pair in differing])
    assert not re.search(r"\d", "".join(letters.values()))  # at most 52
    for pair in combinations(names, 2):
        assert share_a_letter(letters, pair) != (pair in differing)


def test_pairs_are_the_paired_tests_with_corrected_p_values():
    gold, found = bank(80, [0.5, 0.2, 0.22, 0.5])
    systems = {f"s{at}": score(gold, own) for at, own in enumerate(found)}
    for test, one_pair in TESTS.items():
        made = pairwise_tests(systems, "uas", test=test, n=999)
        assert list(made.values) == sorted(systems, key=lambda name: -systems[name].uas)
        assert len(made.pairs) == 6
        for pair in made.pairs:
            alone = one_pair(systems[pair.a], systems[pair.b], "uas", n=999)
            assert pair.difference == alone.difference >= 0
            assert (pair.low, pair.high, pair.p_value) == (alone.low, alone.high, alone.p_value)
            assert pair.differs == (pair.p_corrected <= 0.05)
        corrected = correct_p_values([pair.p_value for pair in made.pairs])
        np.testing.assert_array_equal([pair.p_corrected for pair in made.pairs], corrected)
        assert made.letters["s1"] == made.letters["s2"] == "a"
        assert made.letters["s0"] == made.letters["s3"] == "b"


def test_pairs_that_cannot_be_compared():
    gold, (one, other) = bank(20, [0.3, 0.4])
    a, b = score(gold, one), score(gold, other)
    with pytest.raises(ScoreError, match="only one system to compare, 'a'; give two"):
        pairwise_tests({"a": a})
    with pytest.raises(ScoreError, match="no systems"):
        pairwise_tests({})
    with pytest.raises(ScoreError, match=r"^a and c: different numbers of sentences: 20 and 19"):
        pairwise_tests({"a": a, "b": b, "c": score(gold[1:], one[1:])})
    bare = score(gold, [Prediction(prediction.heads) for prediction in one])
    with pytest.raises(ScoreError, match="system 'bare' has no dspr"):
        pairwise_tests({"a": a, "bare": bare}, "dspr")
    with pytest.raises(ScoreError, match=r"unknown test 't-test'.*'bootstrap', 'randomisation'"):
        pairwise_tests({"a": a, "b": b}, test="t-test")
    with pytest.raises(ScoreError, match="unknown correction"):
        pairwise_tests({"a": a, "b": b}, correction="all")
    three = {"a": a, "b": b, "c": a}
    with pytest.raises(ScoreError, match=r"with n=40 no p-value of 3 pairs.*below 0.073.*n=60"):
        pairwise_tests(three, n=40)
    assert len(pairwise_tests(three, n=40, correction="bh").pairs) == 3


@pytest.mark.parametrize("metric", ["uuas", pytest.param("dspr", marks=pytest.mark.slow)])
@pytest.mark.parametrize("test", TESTS)
def test_equal_systems_are_rarely_called_different(test, metric):
    """400 pairs in 40 families of ten, each pair of two systems of its own."""
    generator = np.random.default_rng(0)
    values = []
    for _ in range(40):  # each with draws of its own: those that all share would err together
        systems = equal_systems(20, 250, generator)
        draws = Draws.of(systems, metric, test, 999, generator)
        values.append([draws.test(at, at + 1, 0.95).p_value for at in range(0, 20, 2)])
    assert 0.02 <= np.mean(np.array(values) <= 0.05) <= 0.08
    assert np.mean([(correct_p_values(own) <= 0.05).any() for own in values]) <= 0.05


def test_families_of_all_pairs_of_equal_systems_rarely_have_a_difference():
    generator = np.random.default_rng(1)
    families = [
        pairwise_tests(dict(zip("abcde", equal_systems(5, 250, generator), strict=True)), n=999)
        for _ in range(40)
    ]
    assert np.mean([pair.p_value <= 0.05 for one in families for pair in one.pairs]) <= 0.08
    assert np.mean([any(pair.differs for pair in one.pairs) for one in families]) <= 0.05


def test_a_planted_difference_is_found():
    generator = np.random.default_rng(2)
    same, other = equal_systems(2, 400, generator)
    column(other.table, "right_edges")[:] *= 0.9
    for test in TESTS:
        found = pairwise_tests({"worse": other, "better": same}, test=test, n=999)
        assert found.pairs[0].a == "better"
        assert found.pairs[0].differs
        assert found.letters == {"better": "a", "worse": "b"}
