"""The bootstrap against plain resampling of whole sentences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from support.score_reference import Gold

from structprobe.recoverers.random_tree import random_heads
from structprobe.scores import Prediction, intervals, paired_bootstrap, score
from structprobe.scores.table import METRICS, estimates


def bank(n_sentences, noise, seed=0):
    """Gold trees, and predictions with a share of wrong heads and noisy distances and depths."""
    generator = np.random.default_rng(seed)
    gold, predictions = [], []
    for _ in range(n_sentences):
        n = int(generator.integers(4, 9))
        heads = random_heads(n, generator)
        gold.append(Gold(heads, upos=("NOUN",) * n, deprels=("dep",) * n))
        wrong = generator.random(n) < noise
        scattered = generator.normal(size=(n, n))
        predictions.append(
            Prediction(
                np.where(wrong, generator.integers(0, n + 1, size=n), heads),
                distances=scattered + scattered.T,
                depths=generator.normal(size=n),
                deprels=("dep",) * n,
            )
        )
    return gold, predictions


@pytest.mark.parametrize("metric", METRICS)
def test_weights_are_sentences_taken_again(metric):
    gold, predictions = bank(12, 0.3)
    scores = score(gold, predictions)
    generator = np.random.default_rng(1)
    drawn = generator.integers(12, size=(20, 12))
    weights = np.array([np.bincount(row, minlength=12) for row in drawn])
    expected = [
        getattr(score([gold[i] for i in row], [predictions[i] for i in row]), metric)
        for row in drawn
    ]
    np.testing.assert_allclose(estimates(scores.table, metric, weights), expected)


def test_weights_with_nothing_scored_are_undefined():
    gold, predictions = bank(3, 0.3)
    gold.append(Gold(np.array([0]), upos=("NOUN",)))
    predictions.append(Prediction(np.array([0])))
    scores = score(gold, predictions)
    weights = [[0, 0, 0, 4], [0, 0, 0, 0], [1, 1, 1, 0]]
    for metric in ("uuas", "dspr", "las"):
        found = estimates(scores.table, metric, weights)
        np.testing.assert_array_equal(np.isnan(found), [True, True, False])
    low, high = scores.interval("uuas", n=200)
    assert 0 <= low <= scores.uuas <= high <= 1


@pytest.mark.parametrize("metric", METRICS)
def test_interval_holds_the_score(metric):
    scores = score(*bank(60, 0.4))
    low, high = scores.interval(metric)
    assert low < getattr(scores, metric) < high
    inner = scores.interval(metric, level=0.5)
    assert low < inner[0] < inner[1] < high


def test_interval_follows_the_seed():
    scores = score(*bank(60, 0.4))
    seeded = [scores.interval("dspr", n=50, random_state=seed) for seed in (0, 0, 1)]
    assert seeded[0] == seeded[1] != seeded[2]
    assert scores.interval("dspr", n=50, random_state=np.random.default_rng(0)) == seeded[0]


def test_interval_is_as_wide_as_the_normal_one():
    # 400 sentences of 10 words, all of one length: UAS is a mean of sentence means.
    generator = np.random.default_rng(3)
    gold = [np.arange(10)] * 400
    predictions = [
        Prediction(np.where(generator.random(10) < 0.3, 10, np.arange(10))) for _ in gold
    ]
    scores = score(gold, predictions)
    shares = [np.mean(one.heads == np.arange(10)) for one in predictions]
    half = 1.96 * np.std(shares) / 20
    low, high = scores.interval("uas", n=4000)
    assert low == pytest.approx(scores.uas - half, abs=0.1 * half)
    assert high == pytest.approx(scores.uas + half, abs=0.1 * half)


def test_interval_does_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    scores = score(*bank(10, 0.3))
    monkeypatch.setattr(intervals, "_WEIGHTS_AT_ONCE", 64)
    low, high = scores.interval("uuas", n=300)
    assert low < scores.uuas < high
    monkeypatch.setattr(intervals, "_WEIGHTS_AT_ONCE", 1)
    assert scores.interval("uuas", n=300) == (low, high)


def test_intervals_of_all_scores_share_one_drawing(monkeypatch):
    scores = score(*bank(40, 0.4))
    alone = {metric: scores.interval(metric, n=100, random_state=3) for metric in METRICS}
    drawn = []

    def draw(*asked):
        drawn.append(asked)
        return resamples(*asked)

    resamples = intervals.resamples
    monkeypatch.setattr("structprobe.scores.result.resamples", draw)
    together = scores.intervals(n=100, random_state=3)
    assert list(together) == list(METRICS)
    assert together == alone
    assert drawn == [(40, 100, 3)]


def test_intervals_of_nothing_are_none():
    scores = score([np.array([0])], [Prediction(np.array([0]))])
    found = scores.intervals(["uuas", "uas"], n=10)
    assert found == {"uuas": None, "uas": (1.0, 1.0)}
    assert score([], []).intervals(["uuas"], n=10) == {"uuas": None}


@pytest.mark.parametrize("metric", ["uuas", "dspr", "nspr"])
def test_interval_is_the_percentile_bootstrap_of_scipy(metric):
    scores = score(*bank(60, 0.4))
    table = scores.table

    def statistic(places, axis):
        assert axis == -1
        rows = places.reshape(-1, len(table))
        weights = np.array([np.bincount(row, minlength=len(table)) for row in rows])
        return estimates(table, metric, weights).reshape(places.shape[:-1])

    theirs = scipy.stats.bootstrap(
        (np.arange(len(table)),), statistic, n_resamples=4000, method="percentile",
        vectorized=True, batch=500, random_state=1,
    ).confidence_interval  # fmt: skip
    ours = scores.interval(metric, n=4000)
    noise = 0.1 * (theirs.high - theirs.low)  # of 4000 draws
    np.testing.assert_allclose(ours, theirs, atol=noise)


def test_a_system_does_not_differ_from_itself():
    scores = score(*bank(20, 0.3))
    found = paired_bootstrap(scores, scores, "uuas", n=500)
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert found.a == found.b == scores.uuas


def test_a_clear_difference_and_a_faint_one():
    gold, good = bank(80, 0.1)
    _, bad = bank(80, 0.6)
    one, other = score(gold, good), score(gold, bad)
    found = paired_bootstrap(one, other, "uas", n=999)
    assert found.metric == "uas"
    assert found.difference == pytest.approx(one.uas - other.uas)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value == 1 / 1000  # never as large in any resample
    assert paired_bootstrap(other, one, "uas", n=999).p_value == found.p_value
    assert paired_bootstrap(one, other, "uas", n=999, random_state=0) == found
    faint = [bad[0], *good[1:]]  # one sentence of eighty differs
    assert paired_bootstrap(one, score(gold, faint), "uas", n=999).p_value > 0.05


def test_p_value_by_its_definition():
    # Four sentences of two words; system a is right in three more roots than b.
    gold = [np.array([0, 1])] * 4
    right, wrong = Prediction(np.array([0, 1])), Prediction(np.array([2, 0]))
    a = score(gold, [right, right, right, wrong])
    b = score(gold, [wrong, wrong, wrong, wrong])
    found = paired_bootstrap(a, b, "root_acc", n=20_000)
    assert found.difference == 0.75
    # d* is the mean of four draws of 1, 1, 1, 0; |d* - 3/4| >= 3/4 only for d* = 0: 1 in 256.
    assert found.p_value == pytest.approx(1 / 256, rel=0.3)


def test_resamples_in_which_nothing_is_scored_are_left_out():
    gold = [np.array([0]), np.array([0, 1])]
    predictions = [Prediction(np.array([0])), Prediction(np.array([0, 1]))]
    scores = score(gold, predictions)
    found = paired_bootstrap(scores, scores, "uuas", n=1000)
    assert 700 < found.n < 800  # one resample in four holds the one-word sentence alone


def test_a_thousand_resamples_unless_another_number_is_given():
    scores = score(*bank(30, 0.3))
    assert scores.interval("uuas") == scores.interval("uuas", n=1000)
    assert scores.intervals() == scores.intervals(n=1000)
    assert scores.interval("uuas") != scores.interval("uuas", n=999)


def test_a_prediction_shows_twelve_heads():
    assert repr(Prediction(np.arange(12))).endswith("9, 10, 11])")
    assert repr(Prediction(np.arange(13))).endswith("10, 11, …])")


def test_ten_thousand_resamples_of_pairs_unless_another_number_is_given():
    gold, noisy = bank(30, 0.3)
    chain = [Prediction(np.arange(len(one.heads))) for one in gold]
    scores, other = score(gold, noisy), score(gold, chain)
    found = paired_bootstrap(scores, other, "uas")
    assert (found.n, found) == (10_000, paired_bootstrap(scores, other, "uas", n=10_000))
