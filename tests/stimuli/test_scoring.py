"""Scores by condition, and the near-word bias: planted readers, slow sums, small cases by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from structprobe.errors import StructprobeError
from structprobe.recoverers import LinearChain
from structprobe.scores import Prediction, score
from structprobe.scores.intervals import resamples
from structprobe.stimuli import (
    Stimulus,
    find_matches,
    make_stimuli,
    near_word_slope,
    score_conditions,
    score_stimuli,
)
from structprobe.treebank import Sentence, Treebank
from structprobe.trees import tree_distances

Array = np.ndarray


def linear(n: int) -> Array:
    return np.abs(np.subtract.outer(np.arange(n), np.arange(n))).astype(float)


def chain(n: int) -> Array:
    return np.arange(n)


def tree_reader(sentences: Sequence[Sentence]) -> list[Prediction]:
    return [Prediction(one.heads, tree_distances(one.heads).astype(float)) for one in sentences]


def near_reader(sentences: Sequence[Sentence]) -> list[Prediction]:
    return [Prediction(chain(len(one)), linear(len(one))) for one in sentences]


def half_reader(sentences: Sequence[Sentence]) -> list[Prediction]:
    """A reader of trees to whom words far apart seem farther."""
    return [
        Prediction(one.heads, tree_distances(one.heads) + 0.3 * linear(len(one)))
        for one in sentences
    ]


def noise(sentences: Sequence[Sentence], seed: int = 3) -> list[Prediction]:
    rng = np.random.default_rng(seed)
    found = []
    for one in sentences:
        drawn = rng.random((len(one), len(one)))
        found.append(Prediction(chain(len(one)), drawn + drawn.T))
    return found


def whole(rows: list[dict], condition: str) -> dict:
    return next(row for row in rows if (row["condition"], row["value"]) == (condition, "all"))


def of(rows: list[dict], condition: str, value: str) -> dict:
    return next(row for row in rows if (row["condition"], row["value"]) == (condition, value))


def test_a_tree_reader_has_no_near_word_bias(stimuli: list[Stimulus]) -> None:
    rows = score_stimuli(tree_reader, stimuli, n=100)
    for row in rows:
        assert row["uuas"] == row["edge"] == 1
        assert row["distance"] == row["tree_distance"] == 1
    for name in ("distance", "nesting", "attractors"):
        row = whole(rows, name)
        for key in ("slope", "slope_low", "slope_high", "slope_all_pairs"):
            assert row[key] == pytest.approx(0, abs=1e-12)


def test_a_near_word_reader_has_a_clear_one(stimuli: list[Stimulus]) -> None:
    rows = score_stimuli(near_reader, stimuli, n=100)
    for name in ("distance", "nesting", "attractors"):
        row = whole(rows, name)
        assert row["slope"] == pytest.approx(1)
        assert row["slope_low"] == pytest.approx(1)
        assert row["slope_all_pairs"] == pytest.approx(1)
    for between in range(13):
        row = of(rows, "distance", f"between={between}")
        assert row["edge"] == (between == 0)
        assert row["distance"] == row["linear_distance"] == between + 1


def test_a_mixed_reader_has_its_share(stimuli: list[Stimulus]) -> None:
    row = whole(score_stimuli(half_reader, stimuli, n=100), "distance")
    assert row["slope"] == pytest.approx(0.3)
    assert row["slope_all_pairs"] == pytest.approx(0.3)


def test_noise_covers_no_bias() -> None:
    own = make_stimuli("distance", n=208)
    covered = {"slope": 0, "slope_all_pairs": 0}
    for seed in range(10):
        row = score_stimuli(partial(noise, seed=seed), own, n=200)[-1]
        for key in covered:
            low, value, high = row[f"{key}_low"], row[key], row[f"{key}_high"]
            assert low < value < high
            covered[key] += low < 0 < high
    assert min(covered.values()) >= 8


def test_noise_of_many_kinds_covers_no_bias_as_often_as_it_should() -> None:
    rng = np.random.default_rng(0)
    x, groups, tree = np.tile(np.arange(8), 30), np.repeat(np.arange(30), 8), np.ones(240)
    covered = 0
    for _ in range(100):
        found = near_word_slope(rng.normal(size=240), x, tree, blocks=groups, units=groups, n=200)
        covered += found.low < 0 < found.high
    assert 86 <= covered <= 99


def test_scales_of_sentences_are_no_bias() -> None:
    # A reader of trees for whom all words of long sentences are farther apart.
    rng = np.random.default_rng(1)
    predicted, apart, tree, sentence = [], [], [], []
    for s, n in enumerate(range(5, 25)):
        heads = np.array([0, *(rng.integers(1, i + 1) for i in range(1, n))])
        i, j = np.triu_indices(n, 1)
        tree.append(tree_distances(heads)[i, j])
        predicted.append(tree[-1] * n)
        apart.append(j - i)
        sentence.append(np.full(len(i), s))
    rows = [np.concatenate(one) for one in (predicted, apart, tree, sentence)]
    pooled = near_word_slope(*rows[:3], units=rows[3])
    within = near_word_slope(*rows[:3], blocks=rows[3], units=rows[3])
    assert within.value == pytest.approx(0, abs=1e-9)
    assert abs(pooled.value) > 0.1


def dummies(labels: Array) -> Array:
    return (labels[:, None] == np.unique(labels)).astype(float)


def slow_slope(y: Array, x: Array, groups: Array, weights: Array) -> float:
    """Least squares with a dummy variable for each group, each row as often as its weight."""
    index = np.repeat(np.arange(len(y)), weights.astype(int))
    design = np.column_stack([x[index], dummies(groups[index])])
    return np.linalg.lstsq(design, y[index], rcond=None)[0][0]


@pytest.mark.parametrize("blocked", [True, False])
def test_the_slope_is_that_of_least_squares(blocked: bool) -> None:
    rng = np.random.default_rng(2)
    m = 60
    y, x, tree = rng.normal(size=m), rng.integers(1, 9, m), rng.integers(1, 4, m)
    units = np.sort(rng.integers(0, 12, m))
    blocks = units // 2 if blocked else None  # groups of several units, and of one
    found = near_word_slope(y, x, tree, blocks=blocks, units=units, n=50)
    groups = tree + 10 * (blocks if blocked else 0)
    assert found.value == pytest.approx(slow_slope(y, x, groups, np.ones(m)))
    names, unit = np.unique(units, return_inverse=True)
    drawn = [slow_slope(y, x, groups, w[unit]) for part in resamples(len(names), 50, 0)
             for w in part]  # fmt: skip
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert found.n == m


def test_a_slope_needs_linear_distance_to_vary() -> None:
    assert near_word_slope([1, 2, 3], [4, 4, 5], [1, 1, 2]) is None
    assert near_word_slope([], [], []) is None
    one = near_word_slope([1, 2], [1, 2], [1, 1], units=[0, 0])
    assert (one.value, one.low, one.high) == (1, None, None)


def test_uuas_is_that_of_score(stimuli: list[Stimulus]) -> None:
    stimuli = [one for one in stimuli if one.condition == "garden_path"]
    rows = score_stimuli(noise, stimuli)
    predictions = noise([one.sentence for one in stimuli])
    for value in ("comma=with", "comma=without"):
        index = [i for i, one in enumerate(stimuli) if one.value == value]
        scores = score([stimuli[i].sentence for i in index], [predictions[i] for i in index])
        row = of(rows, "garden_path", value)
        assert row["uuas"] == pytest.approx(scores.uuas)
        assert (row["uuas_low"], row["uuas_high"]) == pytest.approx(scores.interval())
        assert row["n"] == row["n_sentences"] == len(index)


def small() -> list[Stimulus]:
    words = ("the", "dog", "barks", ".")
    upos = ("DET", "NOUN", "VERB", "PUNCT")
    one = Sentence(words, heads=np.array([2, 3, 0, 3]), upos=upos)
    two = Sentence(
        ("dogs", "often", "bark"), heads=np.array([3, 3, 0]), upos=("NOUN", "ADV", "VERB")
    )
    return [
        Stimulus(one, "small", {"between": 0}, {"s": 2, "v": 3, "dot": 4}, ("s", "v"), 1),
        Stimulus(two, "small", {"between": 1}, {"s": 1, "v": 3, "dot": 2}, ("s", "v"), 1),
    ]


def test_a_small_case_by_hand() -> None:
    trees = [
        Prediction(np.array([2, 3, 0, 3]), linear(4) * 2),
        Prediction(np.array([2, 3, 0]), linear(3) * 2),
    ]
    first, second, row = score_conditions(small(), trees)
    assert [first["value"], second["value"], row["value"]] == ["between=0", "between=1", "all"]
    assert first["values"] == {"between": 0}
    assert (first["uuas"], first["edge"], first["distance"], first["linear_distance"]) == (
        1,
        1,
        2,
        1,
    )
    # edges 3-1 and 3-2 against the chain 1-2, 2-3
    assert (second["uuas"], second["edge"], second["distance"]) == (0.5, 0, 4)
    assert (row["uuas"], row["edge"], row["distance"], row["slope"]) == (0.75, 0.5, 3, 2)
    assert row["pair"] == "s–v"
    assert first["slope"] is None
    assert {tuple(one) for one in (first, second)} == {tuple(row)}
    # one item: nothing to resample
    assert row["uuas_low"] is row["slope_high"] is None


def test_what_is_not_there_is_none_and_not_0() -> None:
    heads = [Prediction(np.array([2, 3, 0, 3])), Prediction(np.array([3, 3, 0]))]
    row = score_conditions(small(), heads)[-1]
    assert (row["uuas"], row["edge"]) == (1, 1)
    assert row["distance"] is row["slope"] is row["slope_all_pairs"] is None
    first, second, _ = score_conditions(small(), heads, pair=("v", "dot"))
    assert first["edge"] is None  # one of the words is ignored as punctuation
    assert second["edge"] == 1
    assert score_conditions(small(), heads, pair=("v", "dot"), punct="keep")[0]["edge"] == 1
    alone = [Stimulus(one.sentence, "own") for one in small()]
    (row,) = score_conditions(alone, heads)
    assert row["uuas"] == 1
    assert row["edge"] is row["pair"] is row["tree_distance"] is None


def test_a_pair_may_be_a_list() -> None:
    trees = near_reader([one.sentence for one in small()])
    rows = score_conditions(small(), trees, pair=["s", "v"])
    assert rows == score_conditions(small(), trees, pair=("s", "v"))
    own = [replace(one, pair=["s", "v"]) for one in small()]
    assert [row["pair"] for row in score_conditions(own, trees)] == ["s–v"] * 3


def test_units_in_which_nothing_varies_make_no_interval() -> None:
    """The slope of the first of two units is that of both, however often each is drawn."""
    told = near_word_slope([1, 3, 5], [1, 2, 4], [1, 1, 1], blocks=[0, 0, 1], units=[0, 0, 1])
    assert told is not None
    assert (told.value, told.low, told.high) == (2, None, None)


def test_other_words_are_scored_where_a_stimulus_has_them(stimuli: list[Stimulus]) -> None:
    rows = score_stimuli(near_reader, stimuli, pair=("attractor_1", "verb"), n=10)
    assert of(rows, "attractors", "attractors=0, number=none")["edge"] is None
    assert whole(rows, "distance")["distance"] is None
    assert of(rows, "attractors", "attractors=1, number=same")["edge"] == 1
    assert of(rows, "attractors", "attractors=3, number=other")["distance"] == 7
    attractors = [one for one in stimuli if one.condition == "attractors"][:7]
    with pytest.raises(StructprobeError, match=r"no stimulus has both words of the pair \('attr"):
        score_stimuli(
            near_reader, attractors[:2] + relatives(stimuli), pair=("attractor_1", "inner_noun")
        )


def relatives(stimuli: list[Stimulus]) -> list[Stimulus]:
    return [one for one in stimuli if one.condition == "relatives"]


def test_a_method_predicts_each_sentence_once() -> None:
    given = []

    class Counting(LinearChain):
        def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
            given.extend(sentences)
            return super().predict(sentences)

    bank = Treebank([one.sentence for one in small()])
    found = find_matches(bank, "V [upos=VERB]; V -> D")
    assert len(found) == 4
    (row,) = score_stimuli(Counting(), found)
    assert len(given) == 2
    assert (row["n"], row["n_sentences"]) == (4, 2)
    # of the four arcs, the one to the dot is not scored; the chain has dog-barks, often-bark
    assert row["edge"] == pytest.approx(2 / 3)
    assert row["uuas"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda own, trees: score_conditions([], []), "no stimuli to score"),
        (lambda own, trees: score_conditions(own, trees[:1]), "2 stimuli but 1 prediction"),
        (lambda own, trees: score_conditions("abc", trees), "stimuli is 'abc', not a list of"),
        (lambda own, trees: score_conditions([1], trees), r"stimuli\[0\] is 1, not a Stimulus"),
        (lambda own, trees: score_conditions(own, trees, n=0), "n=0 resamples"),
        (lambda own, trees: score_conditions(own, trees, pair=("s", "x")), "unknown word 'x'"),
        (lambda own, trees: score_conditions(own, trees, pair=("s", "s")), "not name two words"),
        (lambda own, trees: score_conditions(own, trees, pair=("s",)), "not the names of two"),
        (lambda own, trees: score_conditions(own, trees, pair=("s", "v", "s")), "not the names"),
        (lambda own, trees: score_conditions(own, trees, pair="sv"), "'sv' is not the names of"),
        (lambda own, trees: score_conditions(own, trees, pair=7), "the pair 7 is not the names"),
        (lambda own, trees: replace(own[0], pair=("s",)), "not the names of two words"),
        (lambda own, trees: score_stimuli(lambda _: trees[:1], own), "1 prediction for 2 sent"),
        (lambda own, trees: score_stimuli("probe", own), "recoverer is 'probe', not a Recoverer"),
        (lambda own, trees: near_word_slope([1, 2], [1], [1, 1]), r"different shapes: \(2,\), \(1"),
        (lambda own, trees: near_word_slope([np.nan], [1], [1]), "not finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(change: object, told: str) -> None:
    own = small()
    trees = near_reader([one.sentence for one in own])
    with pytest.raises(StructprobeError, match=told) as caught:
        change(own, trees)
    assert "\n" not in str(caught.value)
