"""Every score against a slow, obvious computation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from support.score_reference import golds, predictions_for, reference_scores, scored_banks

from structprobe.scores import Prediction, score
from structprobe.scores.correlation import centred_ranks, rank_correlations
from structprobe.trees import gold_depths, gold_distances


def plain(table):
    return {key: tuple(value) for key, value in table.items()}


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(scored_banks(), st.sampled_from(["upos", "xpos", "keep"]))
def test_all_scores_are_what_they_are_by_definition(bank, punct):
    gold, predictions = bank
    found = score(gold, predictions, punct=punct)
    scores, counts, tallies = reference_scores(gold, predictions, punct)
    for metric, value in scores.items():
        assert getattr(found, metric) == (None if value is None else pytest.approx(value)), metric
    assert {key: found.counts[key] for key in counts} == counts
    assert plain(found.by_deprel) == plain(tallies["deprel"])
    assert plain(found.by_arc_length) == plain(tallies["arc"])
    assert plain(found.confusion) == plain(tallies["confusion"])
    for name, one in found.by_relation.items():
        both = found.confusion.get((name, name), (0, 0))
        assert one.correct == both[0]
        assert one.gold == sum(
            all_ for pair, (_, all_) in found.confusion.items() if pair[0] == name
        )
        found_ = [all_ for pair, (_, all_) in found.confusion.items() if pair[1] == name]
        assert one.predicted == sum(found_)
    assert sum(one.correct for one in found.by_relation.values()) == found.counts["n_right_labels"]
    assert plain(found.by_sentence_length) == plain(tallies["length"])


@pytest.mark.slow
@settings(deadline=None)
@given(scored_banks(), scored_banks())
def test_scores_add_up_over_files(first, second):
    both = score(first[0] + second[0], first[1] + second[1], punct="upos")
    parts = score(*first, punct="upos") + score(*second, punct="upos")
    assert parts.to_dict() == both.to_dict()
    for name in ("by_deprel", "by_arc_length", "by_sentence_length", "confusion"):
        assert getattr(parts, name) == getattr(both, name)


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_a_sentence_scores_alike_alone_and_among_others(data):
    gold = data.draw(st.lists(golds(max_size=7), min_size=2, max_size=5))
    predictions = [data.draw(predictions_for(sentence)) for sentence in gold]
    together = score(gold, predictions)
    alone = [score([one], [other]) for one, other in zip(gold, predictions, strict=True)]
    np.testing.assert_array_equal(together.table, np.concatenate([one.table for one in alone]))


matrices = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(-2, 3), min_size=n, max_size=n), min_size=1, max_size=4)
)


@given(matrices)
def test_ranks_are_those_of_scipy(rows):
    array = np.array(rows)
    expected = 2 * scipy.stats.rankdata(array, axis=1) - array.shape[1] - 1
    np.testing.assert_array_equal(centred_ranks(array), expected)


@given(matrices, st.randoms(use_true_random=False))
def test_rank_correlations_are_those_of_scipy(rows, random):
    other = [random.sample(row, len(row)) for row in rows]
    found = rank_correlations(rows, other)
    for value, one, two in zip(found, rows, other, strict=True):
        if len(set(one)) == 1:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(scipy.stats.spearmanr(one, two).statistic)


def test_lengths_outside_5_to_50_have_no_part_in_correlations():
    generator = np.random.default_rng(0)
    gold, predictions = [], []
    for n in (4, 5, 6, 50, 51):
        heads = np.arange(n)  # a chain
        scattered = generator.normal(size=(n, n))
        distances = np.abs(scattered + scattered.T)
        gold.append(heads)
        predictions.append(Prediction(heads, distances=distances, depths=generator.normal(size=n)))
    scores = score(gold, predictions)
    assert scores.counts["n_rows"] == 5 + 6 + 50
    assert scores.counts["n_orders"] == 3
    inner = score(gold[1:4], predictions[1:4])
    assert (scores.dspr, scores.nspr) == (inner.dspr, inner.nspr)
    # Averaged within each length first: a word of a long sentence weighs less.
    each = [score([one], [two]).dspr for one, two in zip(gold[1:4], predictions[1:4], strict=True)]
    assert scores.dspr == pytest.approx(np.mean(each))


def test_gold_scored_against_itself_is_perfect():
    gold = [np.array(heads) for heads in ([2, 3, 0, 5, 3, 3], [0], [0, 1, 2, 3, 4, 5, 6])]
    predictions = [
        Prediction(heads, distances=distances, depths=depths, deprels=("dep",) * len(heads))
        for heads, distances, depths in zip(
            gold, gold_distances(gold), gold_depths(gold), strict=True
        )
    ]
    scores = score(gold, predictions)
    assert [scores.uuas, scores.uas, scores.root_acc] == [1.0, 1.0, 1.0]
    assert [scores.dspr, scores.nspr] == [pytest.approx(1.0), pytest.approx(1.0)]
