"""Known figures on real treebanks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.score_reference import reference_scores

from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.scores import Prediction, score
from structprobe.treebank import Treebank
from structprobe.trees import decode_rooted, gold_depths, gold_distances


@pytest.fixture(scope="module")
def ewt(treebanks: Path) -> Treebank:
    return Treebank.read(treebanks / "UD_English-EWT" / "en_ewt-ud-test.conllu")


def test_the_chain_without_penn_punctuation(ewt):
    scores = score(ewt, LinearChain().predict(ewt), punct="xpos")
    assert round(100 * scores.uuas, 1) == 43.0
    assert scores.nspr is None
    assert scores.counts["n_words"] == 25094
    assert scores.uas == score(ewt, RightBranching().predict(ewt)).uas


def test_with_all_words_kept_chain_and_branching_have_the_same_edges(ewt):
    found = [
        score(ewt, recoverer.predict(ewt), punct="keep").counts["n_right_edges"]
        for recoverer in (LinearChain(), RightBranching(), LeftBranching())
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("punct", ["upos", "xpos", "keep"])
def test_every_score_of_many_sentences_is_what_it_is_by_definition(ewt, punct):
    """Noisy gold distances, in whole numbers so that there are ties, one pair at a time."""
    gold = ewt[::25]
    heads = [sentence.heads for sentence in gold]
    generator = np.random.default_rng(0)
    predictions = []
    for matrix, depths in zip(gold_distances(heads), gold_depths(heads), strict=True):
        noise = np.triu(generator.integers(0, 3, matrix.shape), 1)
        distances = (matrix + noise + noise.T).astype(np.float32)
        depths = depths + generator.integers(0, 2, depths.shape)
        (tree,) = decode_rooted([distances], [depths])
        predictions.append(Prediction(tree, distances=distances, depths=depths))
    found = score(gold, predictions, punct=punct)
    expected, counts, tallies = reference_scores(gold, predictions, punct)
    for metric, value in expected.items():
        assert getattr(found, metric) == (None if value is None else pytest.approx(value)), metric
    assert {key: found.counts[key] for key in counts} == counts
    assert found.by_deprel == {key: tuple(value) for key, value in tallies["deprel"].items()}


def test_gold_distances_and_depths_are_perfect(ewt):
    heads = [sentence.heads for sentence in ewt]
    predictions = [
        Prediction(one, distances=distances, depths=depths, deprels=sentence.deprels)
        for sentence, one, distances, depths in zip(
            ewt, heads, gold_distances(heads), gold_depths(heads), strict=True
        )
    ]
    scores = score(ewt, predictions, punct="keep")
    assert [scores.uuas, scores.uas, scores.las, scores.root_acc] == [1.0] * 4
    np.testing.assert_allclose([scores.dspr, scores.nspr], 1.0)
    assert scores.counts["n_undefined_rows"] == 0
