"""Whether a model prefers what its probe parses well: by hand, planted, and bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from structprobe import Prediction, StructprobeError, score
from structprobe.experiments.behaviour.sentence_tests import (
    ESTIMATES,
    SentenceTest,
    _values,
    read_sentence_tests,
)
from structprobe.stimuli.bias import Resampling
from structprobe.stimuli.suites import make_pairs
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.reading import SuiteGroup
from structprobe.treebank.sentence import Sentence

FEW = Resampling(n=50)
PAIRS = make_pairs(["agreement", "distance"], n=12)


class Model:
    """Gives the pairs of a list their margins."""

    kind, scores_first = "causal", True

    def __init__(self, margins: Any) -> None:
        self.margins = np.asarray(margins, dtype=float)

    def pair_log_probs(self, pairs: Any, **_: Any) -> Any:
        assert len(pairs) == len(self.margins)
        return np.stack([self.margins - 20.0, np.full(len(pairs), -20.0)], axis=1)


class Parser:
    """Finds the gold tree, or attaches the subject's head elsewhere in some sentences."""

    def __init__(self, missed: set[int]) -> None:
        self.missed = missed  # of the good sentences, in their order

    def predict(self, sentences: list[Sentence]) -> list[Prediction]:
        found = []
        for i, one in enumerate(sentences):
            heads = one.heads.copy()
            if i in self.missed:
                subject = PAIRS[i].words["subject"] - 1
                heads[subject] = int(heads[subject]) % len(one) + 1  # the word after the verb
            found.append(Prediction(heads))
        return found


def outcome_of(margins: Any, missed: set[int]) -> SentenceTest:
    *_, every = read_sentence_tests(Model(margins), Parser(missed), PAIRS, how=FEW)  # type: ignore[arg-type]
    return every


def test_by_hand() -> None:
    rng = np.random.default_rng(0)
    margins = rng.standard_normal(len(PAIRS))
    missed = set(rng.choice(len(PAIRS), len(PAIRS) // 3, replace=False).tolist())
    rows = read_sentence_tests(Model(margins), Parser(missed), PAIRS, how=FEW)  # type: ignore[arg-type]
    assert [one.phenomenon for one in rows] == ["agreement", "distance", None]
    every, right = rows[-1], margins > 0
    found = np.array([i not in missed for i in range(len(PAIRS))])
    assert every.n == len(PAIRS)
    assert every.accuracy.value == pytest.approx(right.mean())
    assert every.edge_found.value == pytest.approx(found.mean())
    assert every.accuracy_found.value == pytest.approx(right[found].mean())
    assert every.accuracy_missed.value == pytest.approx(right[~found].mean())
    # Within paradigms: the mean difference, weighted by how many of each there are.
    names = np.array([one.paradigm for one in PAIRS])
    total = weight = 0.0
    for name in set(names):
        own = names == name
        a, b = (own & found).sum(), (own & ~found).sum()
        if a and b:
            w = a * b / (a + b)
            total += w * (right[own & found].mean() - right[own & ~found].mean())
            weight += w
    assert every.accuracy_gain.value == pytest.approx(total / weight)
    trees = Parser(missed).predict([one.good for one in PAIRS])
    assert every.uuas_good.value == pytest.approx(score([one.good for one in PAIRS], trees).uuas)
    assert every.uuas_bad.value == 1.0
    assert every.parsed_better.value == pytest.approx(every.uuas_good.value - 1)
    values = every.values()
    assert {f"{name}_low" for name in ESTIMATES} <= values.keys()
    assert values["accuracy_low"] <= values["accuracy"] <= values["accuracy_high"]


def test_a_model_that_is_right_where_the_edge_is_found() -> None:
    missed = set(range(0, len(PAIRS), 3))
    margins = [-1.0 if i in missed else 1.0 for i in range(len(PAIRS))]
    every = outcome_of(margins, missed)
    assert (every.accuracy_found.value, every.accuracy_missed.value) == (1.0, 0.0)
    assert every.accuracy_gain.value == pytest.approx(1.0)
    assert every.margin_slope.low > 0


def test_a_model_that_does_not_use_the_trees() -> None:
    rng = np.random.default_rng(3)
    missed = set(rng.choice(len(PAIRS), len(PAIRS) // 2, replace=False).tolist())
    every = outcome_of(rng.standard_normal(len(PAIRS)), missed)
    assert every.accuracy_gain.low < 0 < every.accuracy_gain.high
    assert every.margin_slope.low < 0 < every.margin_slope.high


def test_a_paradigm_effect_is_no_gain() -> None:
    # In one phenomenon both fail, in the other both succeed: a gain between, none within.
    hard = [one.phenomenon == "distance" for one in PAIRS]
    missed = {i for i, one in enumerate(hard) if one}
    every = outcome_of([-1.0 if one else 1.0 for one in hard], missed)
    assert every.accuracy_found.value - every.accuracy_missed.value == 1.0
    assert every.accuracy_gain is None


def test_pairs_without_trees_are_refused() -> None:
    bare = MinimalPair("a b", "b a", "s", "p", None, 1, "pairs.tsv:1")
    with pytest.raises(
        StructprobeError, match=r"pairs.tsv:1: the good sentence .* has no gold tree"
    ):
        read_sentence_tests(Model([1.0]), Parser(set()), [bare])  # type: ignore[arg-type]
    with pytest.raises(StructprobeError, match="no pairs to test"):
        read_sentence_tests(Model([]), Parser(set()), [])  # type: ignore[arg-type]


def test_pairs_without_named_words_have_no_edge() -> None:
    pairs = [replace(one, words={}) for one in PAIRS]
    *_, every = read_sentence_tests(Model(np.ones(len(pairs))), Parser(set()), pairs, how=FEW)  # type: ignore[arg-type]
    assert every.edge_found is None
    assert every.accuracy_gain is None
    assert every.accuracy.value == 1.0


def test_other_trees_or_words_are_another_run() -> None:
    class Described(Parser):
        def describe(self) -> dict[str, Any]:
            return {"layer": 1, "model": "m"}

    def key(pairs: list[MinimalPair]) -> str:
        group = SuiteGroup("own", tuple(pairs), (), {})
        return str(_values(Model([]), Described(set()), group, None)["key"])  # type: ignore[arg-type]

    first, *others = PAIRS
    good = first.good
    assert isinstance(good, Sentence)
    assert good.heads is not None
    moved = good.heads.copy()
    moved[-1] = moved[-1] % (len(good) - 1) + 1
    changed = [
        replace(first, good=replace(good, heads=moved)),
        replace(first, words={**first.words, "subject": 1}),
        replace(first, item=99),
    ]
    assert len({key(PAIRS), *(key([one, *others]) for one in changed)}) == 4
    assert key(PAIRS) == key([replace(first), *others])
