"""What cannot be scored is refused in one line that names the sentence."""

from __future__ import annotations

import numpy as np
import pytest
from support.score_reference import Gold

from structprobe.errors import ScoreError
from structprobe.scores import Prediction, Protocol, paired_bootstrap, score
from structprobe.treebank.sentence import Sentence

GOOD = Gold(np.array([0, 1, 2]), upos=("NOUN", "VERB", "PUNCT"), deprels=("root", "a", "b"))
HEADS = np.array([0, 1, 2])
FINE = Prediction(HEADS)


def refuse(gold, predictions, **options):
    with pytest.raises(ScoreError) as caught:
        score(gold, predictions, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_counts_of_sentences():
    assert "2 gold sentences but 1 prediction" in refuse([GOOD, GOOD], [FINE])


def test_gold_without_heads_names_the_sentence():
    sentence = Sentence(("a", "b", "c"), path="en.conllu", line=12, sent_id="weblog-3")
    message = refuse([GOOD, sentence], [FINE, FINE])
    assert message.startswith(
        "gold[1] (en.conllu:12: sent_id 'weblog-3'): the gold sentence has no"
    )


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        ([0, 0, 1], "not a tree: 2 roots"),
        ([2, 1, 0], "not a tree: the heads form a cycle: 1 → 2 → 1"),
        ([0, 1, 3], "not a tree: word 3 is its own head"),
        ([2, 3, 1], "not a tree: no word is the root"),
        ([0, 1, 4], "head 4 of word 3 is out of range; choose from 0 to 3"),
        ([0, -1, 1], "head -1 of word 2"),
        (np.empty(0, int), "a sentence without words has no tree"),
        ([[0, 1, 2]], "must be a sequence of integers, not array([[0, 1, 2]])"),
        ([0.0, 1.0, 2.0], "must be a sequence of integers, not array([0., 1., 2.])"),
    ],
)
def test_gold_that_is_no_tree(heads, told):
    message = refuse([GOOD, np.array(heads)], [FINE, FINE], punct="keep")
    assert message.startswith("gold[1]: ")
    assert told in message


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (Prediction(np.array([0, 1])), "heads of shape (2,) instead of (3,) for 3 words"),
        (Prediction(None), "the prediction has no heads"),
        (Prediction(np.array([0, 1, 5])), "head 5 of word 3"),
        (Prediction(HEADS, distances=np.zeros((2, 2))), "distances of shape (2, 2)"),
        (Prediction(HEADS, depths=np.zeros(4)), "depths of shape (4,)"),
        (Prediction(HEADS, arc_scores=np.zeros((3, 3))), "arc_scores of shape (3, 3)"),
        (Prediction(HEADS, deprels=("a",)), "deprels of shape (1,)"),
        (
            Prediction(HEADS, distances=np.full((3, 3), np.nan)),
            "distances contain a value that is not",
        ),
        (Prediction(HEADS, depths=np.array([0, 1, np.inf])), "depths contain a value that is not"),
        (
            Prediction(HEADS, arc_scores=np.full((3, 4), np.nan)),
            "arc_scores contain a value that is",
        ),
    ],
)
def test_predictions_of_other_shapes_or_values(prediction, told):
    message = refuse([GOOD, GOOD, GOOD], [FINE, prediction, prediction])
    assert message.startswith("predictions[1]: ")
    assert told in message


def test_arcs_from_which_no_tree_comes():
    forbidden = Prediction(HEADS, arc_scores=np.full((3, 4), -np.inf))
    assert refuse([GOOD] * 2, [FINE, forbidden]).startswith("predictions[1]: no tree")


def test_unknown_punct_lists_the_choices():
    message = refuse([GOOD], [FINE], punct="upso")
    assert "unknown punct 'upso' (did you mean 'upos'?)" in message
    assert "'upos', 'xpos', 'keep'" in message


@pytest.mark.parametrize("punct", ["upos", "xpos"])
def test_punct_without_its_column_lists_the_choices(punct):
    message = refuse([np.array(HEADS)], [FINE], punct=punct)
    assert message.startswith(f"gold[0]: punct='{punct}': no {punct.upper()} for 3 words")
    assert "'upos', 'xpos' (each needs its column), 'keep'" in message


def test_gold_with_upos_here_and_none_there():
    assert refuse([GOOD, np.array(HEADS)], [FINE, FINE]).startswith(
        "gold[1]: punct='upos': no UPOS"
    )


def test_columns_of_another_length():
    assert "2 UPOS for 3 words" in refuse([Gold(HEADS, upos=("A", "B"))], [FINE])
    assert "gold[0]: 1 deprel for 3 words" in refuse([Gold(HEADS, deprels=("a",))], [FINE])


@pytest.mark.parametrize(("low", "high"), [(0, 50), (6, 5)])
def test_lengths_of_a_protocol(low, high):
    with pytest.raises(ScoreError, match=f"min_length={low} and max_length={high}"):
        Protocol("keep", low, high)


def test_scores_of_two_protocols_do_not_add_up():
    with pytest.raises(ScoreError, match="cannot add scores of different protocols"):
        score([GOOD], [FINE], punct="keep") + score([GOOD], [FINE], punct="upos")
    with pytest.raises(TypeError):
        score([GOOD], [FINE]) + 1


def test_intervals_of_no_score():
    scores = score([GOOD], [FINE])
    with pytest.raises(ScoreError, match=r"unknown score 'uass' \(did you mean"):
        scores.interval("uass")
    with pytest.raises(ScoreError, match="0 resamples"):
        scores.interval("uas", n=0)
    with pytest.raises(ScoreError, match=r"level=95"):
        scores.interval("uas", level=95)


def test_paired_test_of_other_sentences_or_nothing():
    scores = score([GOOD, GOOD], [FINE, FINE])
    with pytest.raises(ScoreError, match="different protocols"):
        paired_bootstrap(scores, score([GOOD, GOOD], [FINE, FINE], punct="keep"))
    with pytest.raises(ScoreError, match="sentences: 2 and 1"):
        paired_bootstrap(scores, score([GOOD], [FINE]))
    shorter = Gold(np.array([0, 1]), upos=("NOUN", "VERB"))
    other = score([GOOD, shorter], [FINE, Prediction(np.array([0, 1]))])
    with pytest.raises(ScoreError, match=r"sentence 1 \(counted from 0\) has 3 words in one and 2"):
        paired_bootstrap(scores, other)
    with pytest.raises(ScoreError, match="system a has no las"):
        paired_bootstrap(scores, scores, "las")
    labelled = score([GOOD, GOOD], [Prediction(HEADS, deprels=("a", "b", "c"))] * 2)
    with pytest.raises(ScoreError, match="system b has no las"):
        paired_bootstrap(labelled, scores, "las")


def test_paired_test_of_other_trees_of_the_same_sizes():
    chain, star = (score([gold], [FINE]) for gold in (np.array([0, 1, 2]), np.array([0, 1, 1])))
    told = "the gold trees differ: 2 in one and 1 in the other of their edges are 1 word long"
    with pytest.raises(ScoreError, match=told):
        paired_bootstrap(chain, star)


@pytest.mark.parametrize("metric", ["nspr", "dspr", "las", "root_acc"])
def test_paired_test_of_scores_that_one_system_has_on_fewer_sentences(metric):
    heads, n = np.array([0, 1, 2, 3, 4]), 6
    gold = [Gold(heads, upos=("NOUN",) * 5, deprels=("dep",) * 5)] * n
    line = np.abs(np.arange(5.0)[:, None] - np.arange(5.0))
    rootless = np.zeros((5, 6))
    rootless[:, 0] = -np.inf
    whole = Prediction(heads, distances=line, depths=np.arange(5.0), deprels=("dep",) * 5)
    lacking = {
        "nspr": Prediction(heads, depths=np.zeros(5)),
        "dspr": Prediction(heads, distances=line * 0),
        "las": Prediction(heads),
        "root_acc": Prediction(heads, arc_scores=rootless, as_tree=False),
    }[metric]
    one, other = score(gold, [whole] * n), score(gold, [whole] * 4 + [lacking] * 2)
    told = rf"{metric} was scored on different sentences or words: on 6 and 4 sentences.* 4 \("
    with pytest.raises(ScoreError, match=told):
        paired_bootstrap(one, other, metric)
    assert paired_bootstrap(other, other, metric, n=20).difference == 0
    assert paired_bootstrap(one, one, metric, n=20).p_value == 1
