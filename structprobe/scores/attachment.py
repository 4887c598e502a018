"""Correct edges, heads, labels and roots of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError, TreeError
from structprobe.scores.inputs import FlatTrees
from structprobe.scores.prediction import Prediction
from structprobe.trees import arborescences, best_heads, decode_rooted
from structprobe.trees.padding import group_by_length, pad

Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

# The universal relations without those of function words (aux, case, cc, clf, cop, det, mark) and
# punctuation (Nivre & Fang 2017, Universal Dependency Evaluation).
CONTENT_RELATIONS = (
    *("acl", "advcl", "advmod", "amod", "appos", "ccomp", "compound", "conj", "csubj", "dep"),
    *("discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj", "list", "nmod"),
    *("nsubj", "nummod", "obj", "obl", "orphan", "parataxis", "reparandum", "root", "vocative"),
    "xcomp",
)


def scored_edges(trees: FlatTrees, kept: Bools) -> Bools:
    """Mark the words whose gold arcs count for UUAS."""
    # kept (n_words,) -> (n_words,)
    has_head = trees.gold > 0
    return kept & has_head & kept[trees.first + np.where(has_head, trees.gold - 1, 0)]


def right_edges(
    trees: FlatTrees, predictions: Sequence[Prediction], kept: Bools, roots: Ints
) -> Bools:
    """Mark the words whose gold arcs are predicted, in either direction."""
    # kept (n_words,), roots (n_sentences,) -> (n_words,)
    pred = heads_over_kept(trees, predictions, kept, roots)
    heads = trees.first + np.maximum(trees.gold - 1, 0)  # place of the gold head among all words
    right: Bools = (pred == trees.gold) | (pred[heads] == trees.positions)
    return right


def predicted_roots(trees: FlatTrees, predictions: Sequence[Prediction], kept: Bools) -> Ints:
    """Find the shallowest kept word of each sentence, the first in a tie."""
    # kept (n_words,) -> (n_sentences,)
    # Depths are the predicted ones, or else those of the predicted heads.
    pairs = zip(predictions, trees.split(trees.pred_depths), strict=True)
    parts = [own if one.depths is None else one.depths for one, own in pairs]
    depths = np.concatenate([np.empty(0), *parts])  # (n_words,)
    candidates = np.flatnonzero(kept & np.isfinite(depths))
    # Sorted by sentence, then depth, then place: the first of each sentence is its root.
    order = np.lexsort((depths[candidates], trees.sentence[candidates]))
    sentences, at = np.unique(trees.sentence[candidates[order]], return_index=True)
    roots = np.zeros(len(trees.lengths), dtype=np.int64)
    roots[sentences] = trees.positions[candidates[order[at]]]
    return roots


def right_roots(
    trees: FlatTrees, predictions: Sequence[Prediction], kept: Bools, roots: Ints
) -> tuple[Bools, Bools]:
    """Mark the sentences with a correct root, and those that count for root accuracy."""
    # kept (n_words,), roots (n_sentences,) -> (n_sentences,)
    gold_roots = trees.positions[trees.gold == 0]  # one a sentence, in order
    asked = np.bincount(trees.sentence[kept], minlength=len(trees.lengths)) > 0
    asked &= np.array([not _is_rootless(one) for one in predictions], dtype=bool)
    return asked & (roots == gold_roots), asked


def without_subtypes(labels: Iterable[str]) -> NDArray[np.str_]:
    """Cut language-specific subtypes off relation labels, as the official UD evaluation does."""
    return np.array([label.partition(":")[0] for label in labels], dtype=np.str_)  # (n,)


def content_words(relations: NDArray[np.str_]) -> Bools:
    """Mark the words that CLAS counts: those of the official UD evaluation, and no unknown ones."""
    # relations (n_words,), without subtypes -> (n_words,)
    return np.isin(relations, CONTENT_RELATIONS)


def heads_over_kept(
    trees: FlatTrees, predictions: Sequence[Prediction], kept: Bools, roots: Ints
) -> Ints:
    """Return the heads; where there are scores, decoded again over the kept words, -1 elsewhere."""
    heads, masks = trees.split(trees.pred), trees.split(kept)
    measured, scored = [], []
    for index, one in enumerate(predictions):
        if one.distances is not None:
            measured.append(index)
        elif one.arc_scores is not None:
            heads[index] = np.full(len(one), -1)
            if masks[index].sum() > 1:  # one word alone has no edge
                scored.append(index)
    decoded = decode_rooted(
        [np.asarray(predictions[index].distances) for index in measured],
        [np.zeros(len(masks[index])) for index in measured],  # the same tree from every root
        kept=[masks[index] for index in measured],
    )
    for index, found in zip(measured, decoded, strict=True):
        heads[index] = found
    small = [_kept_scores(predictions[index], masks[index], int(roots[index])) for index in scored]
    for index, found in zip(scored, _best_arcs(predictions, scored, small), strict=True):
        inside = np.flatnonzero(masks[index])
        heads[index][inside] = np.append(0, inside + 1)[found]
    return np.concatenate([np.empty(0, np.int64), *heads])


def _is_rootless(prediction: Prediction) -> bool:
    """Decide whether a prediction is not a tree and has no root."""
    scores = prediction.arc_scores
    return not prediction.as_tree and scores is not None and bool(np.isneginf(scores[:, 0]).all())


def _kept_scores(prediction: Prediction, kept: Bools, root: int) -> NDArray[np.float64]:
    """Return the arc scores (k, k + 1) among the kept words and the root, if it is not fixed."""
    inside = np.flatnonzero(kept)
    positions = np.append(0, inside + 1)
    whole = np.array(prediction.arc_scores, dtype=np.float64)
    scores: NDArray[np.float64] = whole[inside[:, None], positions]
    if prediction.as_tree and root:
        # Its scores, which may forbid it, are ignored.
        scores[:, 0] = np.where(inside + 1 == root, 0.0, -np.inf)
    return scores


def _best_arcs(
    predictions: Sequence[Prediction], scored: list[int], scores: list[NDArray[np.float64]]
) -> list[NDArray[np.intp]]:
    """Decode arc scores (k, k + 1) as trees, in batches of similar length, or word by word."""
    heads = [best_heads(matrix) for matrix in scores]
    as_tree = [place for place, index in enumerate(scored) if predictions[index].as_tree]
    for group in group_by_length([len(scores[place]) for place in as_tree]):
        places = [as_tree[member] for member in group]
        sizes = [len(scores[place]) for place in places]
        try:
            found = arborescences(pad([scores[place] for place in places]), sizes)
        except TreeError as error:
            where = f"predictions[{scored[places[error.sentence]]}]"
            raise ScoreError(error.what, where=where, hint=error.hint) from error
        for place, row, size in zip(places, found, sizes, strict=True):
            heads[place] = row[:size]
    return heads
