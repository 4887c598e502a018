"""A sentence of six words, all numbers worked out by hand.

the dog chased the cat .      gold heads 2 3 0 5 3 3
                              predicted  2 3 0 3 4 5: the chain, rooted at "chased"
"""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from support.score_reference import Gold

from structprobe.scores import Prediction, Protocol, score

GOLD = Gold(
    heads=np.array([2, 3, 0, 5, 3, 3]),
    upos=("DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT"),
    xpos=("DT", "NN", "VBD", "DT", "NN", "."),
    deprels=("det", "nsubj:pass", "root", "det", "obj", "punct"),
)
PLACES = np.arange(6)
PREDICTED = Prediction(
    heads=np.array([2, 3, 0, 3, 4, 5]),
    distances=np.abs(PLACES[:, None] - PLACES).astype(float),
    depths=np.array([2.0, 1.0, 0.0, 1.0, 2.0, 3.0]),
    deprels=("det", "nsubj", "acl", "det", "obj", "punct"),
)

# Gold distances by word, and twice their mean ranks less 7; the same of the chain's distances.
#   0 1 2 4 3 3   -5 -3 -1  5  2  2     0 1 2 3 4 5   -5 -3 -1  1  3  5
#   1 0 1 3 2 2   -2 -5 -2  5  2  2     1 0 1 2 3 4   -2 -5 -2  1  3  5
#   2 1 0 2 1 1    4 -1 -5  4 -1 -1     2 1 0 1 2 3    2 -2 -5 -2  2  5
#   4 3 2 0 1 3    5  2 -1 -5 -3  2     3 2 1 0 1 2    5  2 -2 -5 -2  2
#   3 2 1 1 0 2    5  2 -2 -2 -5  2     4 3 2 1 0 1    5  3  1 -2 -5 -2
#   3 2 1 3 2 0    4  0 -3  4  0 -5     5 4 3 2 1 0    5  3  1 -1 -3 -5
DSPR_ROWS = [
    56 / sqrt(68 * 70),
    54 / sqrt(66 * 68),
    20 / sqrt(60 * 66),
    66 / sqrt(68 * 66),
    54 / sqrt(66 * 68),
    38 / sqrt(66 * 70),
]
# Gold depths 2 1 0 2 1 1 and predicted 2 1 0 1 2 3 rank as the third row does.
NSPR = 20 / sqrt(60 * 66)


@pytest.mark.parametrize("punct", ["upos", "xpos"])
def test_without_the_full_stop(punct):
    scores = score([GOLD], [PREDICTED], punct=punct)
    assert scores.uuas == 3 / 4  # 1-2, 2-3, 4-5 are right, 3-5 is missed
    assert scores.uas == 3 / 6  # the, dog, chased
    assert scores.las == 2 / 6  # chased is root and not acl; nsubj is nsubj:pass without subtype
    # Content words: dog, chased, cat, in gold and prediction alike; only dog is right.
    assert scores.clas == 1 / 3
    assert scores.by_relation == {
        "det": (1, 2, 2), "nsubj": (1, 1, 1), "obj": (0, 1, 1), "punct": (0, 1, 1),
        "root": (0, 1, 0), "acl": (0, 0, 1),
    }  # fmt: skip
    assert scores.root_acc == 1.0
    assert scores.dspr == pytest.approx(sum(DSPR_ROWS) / 6)
    assert scores.nspr == pytest.approx(NSPR)
    assert scores.by_deprel == {"det": (2, 2), "nsubj": (1, 1), "obj": (0, 1)}
    assert scores.by_arc_length == {1: (3, 3), 2: (0, 1)}
    assert scores.by_sentence_length == {6: (3, 4)}
    assert scores.counts == {
        "n_sentences": 1, "n_one_word": 0, "n_none_kept": 0, "n_words": 6, "n_kept": 5,
        "n_edges": 4, "n_right_edges": 3, "n_right_heads": 3, "n_labels": 6, "n_right_labels": 2,
        "n_content": 3, "n_pred_content": 3, "n_right_content": 1,
        "n_roots": 1, "n_right_roots": 1, "n_rows": 6, "n_undefined_rows": 0, "n_orders": 1,
        "n_undefined_orders": 0,
    }  # fmt: skip


def test_with_the_full_stop():
    scores = score([GOLD], [PREDICTED], punct="keep")
    assert scores.uuas == 3 / 5  # the gold edge 3-6 is counted, and missed
    assert scores.by_arc_length == {1: (3, 3), 2: (0, 1), 3: (0, 1)}
    assert scores.dspr == pytest.approx(sum(DSPR_ROWS) / 6)  # always over all words


def test_the_chain_closes_over_a_word_left_out():
    comma = replace(GOLD, upos=("DET", "PUNCT", "VERB", "DET", "NOUN", "PUNCT"))
    # Kept: 1 3 4 5. Gold edges between them: 3-5, 4-5. The chain anew: 1-3, 3-4, 4-5.
    assert score([comma], [PREDICTED]).uuas == 1 / 2
    star = Gold(np.array([3, 3, 0]), upos=("DET", "PUNCT", "VERB"))
    chain = np.abs(PLACES[:3, None] - PLACES[:3])
    heads = np.array([0, 1, 2])
    assert score([star], [Prediction(heads, distances=chain)]).uuas == 1.0  # 1-3, decoded anew
    assert score([star], [Prediction(heads)]).uuas == 0.0  # 1-2 and 2-3 join no two kept words


def test_arc_scores_are_decoded_anew_over_kept_words():
    gold = Gold(np.array([3, 1, 0]), upos=("NOUN", "PUNCT", "VERB"))
    # Over all words 1 hangs on 2 and 2 on 3; without 2, 1 hangs on 3.
    arcs = np.array([[0.0, 0.0, 9.0, 5.0], [0.0, 1.0, 0.0, 9.0], [9.0, 1.0, 1.0, 0.0]])
    heads = np.array([2, 3, 0])
    assert score([gold], [Prediction(heads, arc_scores=arcs)]).uuas == 1.0
    assert score([gold], [Prediction(heads)]).uuas == 0.0
    forbidden = arcs.copy()
    forbidden[:, 0] = -np.inf  # the root is known already: its scores have no say
    assert score([gold], [Prediction(heads, arc_scores=forbidden)]).uuas == 1.0
    no_root = Prediction(np.array([2, 1, 1]), arc_scores=arcs)
    assert score([gold], [no_root]).uuas == 1.0
    assert score([gold], [no_root]).root_acc == 0.0


def test_the_best_heads_over_kept_words_need_be_no_tree():
    gold = Gold(np.array([3, 1, 0]), upos=("NOUN", "PUNCT", "VERB"))
    # Each word's best head: 2, 1 (a cycle) and 2; without word 2, they are 3 and 1.
    arcs = np.array([[-np.inf, 0, 9, 5], [-np.inf, 8, 0, 7], [-np.inf, 1, 4, 9]])
    scores = score([gold], [Prediction(np.array([2, 1, 2]), arc_scores=arcs, as_tree=False)])
    assert (scores.uuas, scores.uas) == (1.0, 1 / 3)
    assert (scores.root_acc, scores.counts["n_roots"]) == (None, 0)  # it says nothing of the root
    arcs[2] = [0, -np.inf, -np.inf, 0]  # told that word 3 is the root
    scores = score([gold], [Prediction(np.array([2, 1, 0]), arc_scores=arcs, as_tree=False)])
    assert (scores.uuas, scores.uas, scores.root_acc) == (1.0, 2 / 3, 1.0)
    arcs[0, 3] = -np.inf  # no head that is kept is left to word 1, and word 3 has none
    scores = score([gold], [Prediction(np.array([2, 1, 0]), arc_scores=arcs, as_tree=False)])
    assert scores.uuas == 0.0


def test_distances_come_before_arc_scores():
    gold = np.array([0, 1, 1])
    star, chain = (
        np.array([[0, 1, 1], [1, 0, 2], [1, 2, 0]]),
        np.array([[0] * 4, [0] * 4, [0, 0, 9, 0]]),
    )
    both = Prediction(np.array([0, 1, 2]), distances=star, arc_scores=chain)
    assert score([gold], [both]).uuas == 1.0


@pytest.mark.parametrize(
    ("depths", "heads", "right"),
    [
        ([3, 2, 1, 2, 2, 0], [2, 3, 0, 3, 4, 5], 1),  # the full stop is least deep, but not kept
        ([1, 1, 1, 1, 1, 1], [2, 3, 0, 3, 4, 5], 0),  # ties: the first word
        ([1, 2, 0, 0, 2, 1], [0, 1, 2, 3, 4, 5], 1),  # depths come before heads
        (None, [2, 3, 6, 5, 3, 0], 1),  # no depths: least deep in the predicted tree
        (None, [2, 6, 6, 5, 3, 0], 0),  # and the first of these
        (None, [2, 1, 4, 3, 6, 5], 0),  # no root, all cycles: nothing is found
    ],
)
def test_root_is_the_least_deep_kept_word(depths, heads, right):
    predicted = Prediction(np.array(heads), depths=None if depths is None else np.array(depths))
    assert score([GOLD], [predicted]).root_acc == right


def test_gold_root_that_is_not_kept_is_missed():
    gold = Gold(np.array([0, 1, 1]), upos=("PUNCT", "NOUN", "NOUN"))
    predicted = Prediction(np.array([0, 1, 1]), depths=np.array([0.0, 1.0, 1.0]))
    scores = score([gold], [predicted])
    assert (scores.root_acc, scores.counts["n_roots"]) == (0.0, 1)
    assert score([gold], [predicted], punct="keep").root_acc == 1.0


def test_penn_tags_leave_out_seven_tags_and_no_more():
    tags = ("''", ",", ".", ":", "``", "-LRB-", "-RRB-", "HYPH", "NFP", "SYM", "$", "NN")
    heads = np.arange(len(tags))
    scores = score([Gold(heads, xpos=tags)], [Prediction(heads)], punct="xpos")
    assert scores.counts["n_kept"] == 5


def test_sentences_with_nothing_to_score_give_none():
    one = Gold(np.array([0]), upos=("NOUN",))
    stops = Gold(np.array([0, 1]), upos=("PUNCT", "PUNCT"))
    predictions = [
        Prediction(np.array([0]), distances=np.zeros((1, 1)), depths=np.zeros(1)),
        Prediction(np.array([0, 1]), distances=np.zeros((2, 2)), depths=np.zeros(2)),
    ]
    scores = score([one, stops], predictions)
    assert scores.uuas is None
    assert (scores.uas, scores.las, scores.dspr, scores.nspr) == (1.0, None, None, None)
    assert (scores.root_acc, scores.counts["n_roots"]) == (1.0, 1)
    assert scores.counts["n_one_word"] == 1
    assert scores.counts["n_none_kept"] == 1
    assert scores.by_deprel == {}
    assert "UUAS –" in str(scores)


def test_nothing_at_all_gives_none():
    scores = score([], [])
    assert all(getattr(scores, name) is None for name in ("uuas", "uas", "las", "dspr", "nspr"))
    assert set(scores.counts.values()) == {0}
    assert (scores.by_deprel, scores.by_arc_length, scores.by_sentence_length) == ({}, {}, {})
    assert scores.interval("uuas") is None


def test_undefined_rows_are_skipped_and_counted():
    distances = np.abs(PLACES[:, None] - PLACES).astype(float)
    distances[3, :] = distances[:, 3] = 7.0  # the row of word 4 is constant
    scores = score([GOLD], [replace(PREDICTED, distances=distances, depths=np.ones(6))])
    assert scores.counts["n_undefined_rows"] == 1
    assert scores.counts["n_rows"] == 5
    assert scores.dspr is not None
    assert (scores.nspr, scores.counts["n_undefined_orders"]) == (None, 1)


def test_print_and_plain_values():
    scores = score([GOLD], [PREDICTED], punct="xpos")
    assert str(scores) == (
        "UUAS 75.0, UAS 50.0, LAS 33.3, CLAS 33.3, root 100.0, DSpr. 71.4, NSpr. 31.8 (per cent; "
        "1 sentence, 6 words, 4 edges, 0 undefined correlations; "
        "punct=\"xpos\": XPOS '' , . : `` -LRB- -RRB- "
        "excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence "
        "lengths 5 to 50)"
    )
    assert repr(scores) == f"<Scores: {scores}>"
    flat = scores.to_dict()
    assert json.loads(json.dumps(flat, allow_nan=False)) == flat
    assert flat["uuas"] == 0.75
    assert (flat["punct"], flat["min_length"], flat["max_length"]) == ("xpos", 5, 50)
    assert flat["n_words"] == 6
    assert pickle.loads(pickle.dumps(scores)).to_dict() == flat


def test_protocol_by_default():
    assert score([GOLD], [PREDICTED]).protocol == Protocol("upos", 5, 50)
    assert score([GOLD.heads], [PREDICTED]).protocol == Protocol("keep")
    assert score([[2, 3, 0, 5, 3, 3]], [PREDICTED]).uuas == 3 / 5
    assert "all words count" in str(Protocol("keep"))
