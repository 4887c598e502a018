"""`score`: from gold trees and predictions to `Scores`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError, counted, refuse_kind
from structprobe.scores.attachment import (
    content_words,
    predicted_roots,
    right_edges,
    right_roots,
    scored_edges,
    without_subtypes,
)
from structprobe.scores.breakdowns import Tally, confuse, tally, tally_deprels
from structprobe.scores.correlation import depth_correlations, distance_correlations
from structprobe.scores.inputs import FlatTrees, flatten, place
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import Protocol, choose_protocol, kept_words
from structprobe.scores.result import Scores
from structprobe.scores.table import COLUMNS, Table, column
from structprobe.tree_faults import TreesLike


@dataclass(frozen=True, slots=True, eq=False)
class ScoredEdges:
    """What UUAS counts, word by word."""

    trees: FlatTrees
    kept: NDArray[np.bool_]  # (n_words,): the words that count
    scored: NDArray[np.bool_]  # (n_words,): the words whose gold arcs are edges that UUAS counts
    right: NDArray[np.bool_]  # (n_words,): those of them whose edges are predicted
    relations: NDArray[np.str_]  # (n_words,): without subtypes; empty where there is none


def score(
    gold: TreesLike, predictions: Sequence[Prediction], *, punct: str | None = None
) -> Scores:
    """Score predictions against gold trees by the published protocol.

    UUAS is micro-averaged over the gold edges between kept words (by default, all but punctuation).
    Predictions with distances or arc scores are decoded again over the kept words (from distances
    if there are both), as published; otherwise the predicted edges between kept words count. The
    predicted root is the shallowest kept word, in every sentence with a kept word; a gold root that
    is not kept counts as missed, and predictions without a root (see `Prediction`) are not counted.
    UAS and LAS count all words, including the root, without subtypes of relations, like the
    official UD evaluation; CLAS, as defined there, is the F1 over content words. DSpr. is the
    Spearman correlation between each word's predicted and gold distances to all words (including
    itself, ties by mean rank), averaged over the words of each sentence length, then over the
    lengths 5 to 50; NSpr. is the same for the depths of each sentence. Undefined correlations, of
    constant predictions, are skipped and counted. (Hewitt & Manning 2019, A Structural Probe for
    Finding Syntax in Word Representations, section 4.1.)

    Parameters
    ----------
    gold : sequence of Sentence or of array_like of int, shape (n,)
        Sentences, or other objects with ``heads`` (and possibly ``upos``, ``xpos`` and
        ``deprels``); or plain heads, 1-based, 0 for the root.
    predictions : sequence of Prediction
        One prediction per gold sentence, in order.
    punct : {"upos", "xpos", "keep", "polar"}, optional
        Which words UUAS and root accuracy ignore, see `Protocol`; by default ``"upos"`` if the gold
        has UPOS tags, else ``"keep"``.

    Returns
    -------
    Scores
        The scores, with their protocol.

    Raises
    ------
    ScoreError
        If gold and predictions do not match, the gold has no trees, or `punct` is unknown or needs
        tags that the gold lacks.

    Examples
    --------
    >>> gold, predicted = [2, 0, 2, 3], [2, 0, 4, 2]
    >>> scores = score([gold], [Prediction(np.array(predicted))])
    >>> scores.uas, round(scores.uuas, 3), scores.protocol.punct
    (0.5, 0.667, 'keep')
    """
    return score_with_edges(gold, predictions, punct)[0]


def score_with_edges(
    gold: TreesLike, predictions: Sequence[Prediction], punct: str | None = None
) -> tuple[Scores, ScoredEdges]:
    """Score as `score` does, and say which edges were predicted."""
    for name, given in (("gold", gold), ("predictions", predictions)):
        if isinstance(given, str) or not isinstance(given, Iterable):
            hint = "write score(gold, predictions): a Treebank, and a list of Predictions"
            refuse_kind(name, given, "a list", ScoreError, hint)
    gold, predictions = list(gold), list(predictions)
    protocol = choose_protocol(gold, punct)
    trees = flatten(gold, predictions)
    kept = kept_words(gold, trees.lengths, protocol)
    roots = predicted_roots(trees, predictions, kept)
    scored = scored_edges(trees, kept)
    right = scored & right_edges(trees, predictions, kept, roots)

    table: Table = np.zeros((len(gold), len(COLUMNS)))
    column(table, "words")[:] = trees.lengths
    _add(table, "kept", trees, kept)
    _add(table, "edges", trees, scored)
    _add(table, "right_edges", trees, right)
    counted_arcs = trees.gold > 0 if protocol.by_sentence else np.ones_like(kept)
    _add(table, "right_heads", trees, counted_arcs & (trees.gold == trees.pred))
    right_rows, rows = right_roots(trees, predictions, kept, roots)
    column(table, "right_roots")[:], column(table, "roots")[:] = right_rows, rows
    relations = _relations(gold, trees)
    confusion = _count_labels(table, gold, predictions, trees, (relations, counted_arcs))
    _count_correlations(table, predictions, trees, protocol)
    arc_lengths = np.abs(trees.gold - trees.positions)
    by_length = tally(arc_lengths, right.astype(float), scored.astype(float))
    by_deprel = tally_deprels(relations, right, scored)
    scores = Scores(protocol, table, by_deprel, by_length, confusion)
    return scores, ScoredEdges(trees, kept, scored, right, relations)


def _add(table: Table, name: str, trees: FlatTrees, words: NDArray[np.bool_]) -> None:
    """Count the words of each sentence for which something is true."""
    column(table, name)[:] = np.bincount(trees.sentence[words], minlength=len(table))


def _relations(gold: TreesLike, trees: FlatTrees) -> NDArray[np.str_]:
    """Give the gold relation of each word without its subtype; empty where there is none."""
    filled: list[Sequence[str]] = []
    for index, (sentence, length) in enumerate(zip(gold, trees.lengths.tolist(), strict=True)):
        deprels = _deprels(sentence)
        filled.append([""] * length if deprels is None else deprels)
        if len(filled[-1]) != length:
            told = f"{counted(len(filled[-1]), 'deprel')} for {counted(length, 'word')}"
            raise ScoreError(told, where=place(gold, index))
    return without_subtypes(chain.from_iterable(filled))


def _deprels(sentence: object) -> Sequence[str] | None:
    return getattr(sentence, "deprels", None)


def _count_labels(
    table: Table, gold: TreesLike, predictions: Sequence[Prediction],
    trees: FlatTrees, arcs: tuple[NDArray[np.str_], NDArray[np.bool_]],
) -> dict[tuple[str, str], Tally]:  # fmt: skip
    """Count labels for LAS and CLAS, in the sentences where gold and prediction have relations."""
    relations, counted_arcs = arcs  # (n_words,): which of them LAS counts
    pairs = zip(gold, predictions, strict=True)
    predicted = [None if _deprels(one) is None else prediction.deprels for one, prediction in pairs]
    labelled = np.array([deprels is not None for deprels in predicted], dtype=bool)
    words = labelled[trees.sentence]  # (n_words,)
    known = chain.from_iterable(deprels for deprels in predicted if deprels is not None)
    own, found = relations[words], without_subtypes(known)
    right_heads = trees.gold[words] == trees.pred[words]
    right, content = right_heads & (own == found), content_words(own)
    inside = counted_arcs[words]
    of_words = {"labels": inside, "right_labels": right & inside, "content": content,
                "pred_content": content_words(found), "right_content": right & content}  # fmt: skip
    for name, marked in of_words.items():
        sentences = trees.sentence[words][marked]
        column(table, name)[:] = np.bincount(sentences, minlength=len(table))
    return confuse(own, found, right_heads)


def _count_correlations(
    table: Table, predictions: Sequence[Prediction], trees: FlatTrees, protocol: Protocol
) -> None:
    """Correlate distances and depths in the sentences of the protocol's lengths."""
    heads, depths = trees.split(trees.gold), trees.split(trees.gold_depths)
    chosen = _measured(predictions, "distances", protocol)
    column(table, "row_sum")[chosen], column(table, "rows")[chosen] = distance_correlations(
        [heads[index] for index in chosen],
        [np.asarray(predictions[index].distances) for index in chosen],
    )
    column(table, "undefined_rows")[chosen] = trees.lengths[chosen] - column(table, "rows")[chosen]
    chosen = _measured(predictions, "depths", protocol)
    column(table, "order_sum")[chosen], column(table, "orders")[chosen] = depth_correlations(
        [depths[index] for index in chosen],
        [np.asarray(predictions[index].depths) for index in chosen],
    )
    column(table, "undefined_orders")[chosen] = 1 - column(table, "orders")[chosen]


def _measured(predictions: Sequence[Prediction], what: str, protocol: Protocol) -> list[int]:
    """Find the sentences of the protocol's lengths whose prediction has distances or depths."""
    lengths = range(protocol.min_length, protocol.max_length + 1)
    return [
        index
        for index, prediction in enumerate(predictions)
        if len(prediction) in lengths and getattr(prediction, what) is not None
    ]
