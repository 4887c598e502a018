"""Right edges, heads, labels and roots: which words of a prediction are right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ScoreError, TreeError
from structprobe.scores.inputs import FlatTrees
from structprobe.scores.prediction import Prediction
from structprobe.trees import decode_rooted
from structprobe.trees.arborescence import arborescence
from structprobe.trees.best_heads import best_heads


def scored_edges(trees: FlatTrees, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which words' gold arcs are edges that UUAS counts."""
    # kept (n_words,) -> (n_words,)
    has_head = trees.gold > 0
    return kept & has_head & kept[trees.first + np.where(has_head, trees.gold - 1, 0)]


def right_edges(
    trees: FlatTrees,
    predictions: Sequence[Prediction],
    kept: NDArray[np.bool_],
    roots: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell which words' gold arcs are, in either direction, among the predicted edges."""
    # kept (n_words,), roots (n_sentences,) -> (n_words,)
    pred = _heads_over_kept(trees, predictions, kept, roots)
    heads = trees.first + np.maximum(trees.gold - 1, 0)  # place of the gold head among all words
    return (pred == trees.gold) | (pred[heads] == trees.positions)


def predicted_roots(
    trees: FlatTrees, predictions: Sequence[Prediction], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Find the least deep kept word of each sentence, the first of several.

    Depths are the predicted ones, or those of the predicted heads where a prediction has none.
    """
    # kept (n_words,) -> (n_sentences,)
    of_heads = trees.split(trees.pred_depths)
    parts = [
        own if prediction.depths is None else prediction.depths
        for own, prediction in zip(of_heads, predictions, strict=True)
    ]
    depths = np.concatenate([np.empty(0), *parts])  # (n_words,)
    candidates = np.flatnonzero(kept & np.isfinite(depths))
    # Sorted by sentence, then depth, then place: the first of each sentence is its root.
    order = np.lexsort((depths[candidates], trees.sentence[candidates]))
    sentences, at = np.unique(trees.sentence[candidates[order]], return_index=True)
    roots = np.zeros(len(trees.lengths), dtype=np.int64)
    roots[sentences] = trees.positions[candidates[order[at]]]
    return roots


def right_roots(
    trees: FlatTrees,
    predictions: Sequence[Prediction],
    kept: NDArray[np.bool_],
    roots: NDArray[np.int64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which sentences' roots are right, and which sentences are asked."""
    # kept (n_words,), roots (n_sentences,) -> (n_sentences,)
    gold_roots = trees.positions[trees.gold == 0]  # one a sentence, in order
    asked = np.bincount(trees.sentence[kept], minlength=len(trees.lengths)) > 0
    asked &= np.array([not _is_rootless(one) for one in predictions], dtype=bool)
    return asked & (roots == gold_roots), asked


def without_subtypes(labels: Iterable[str]) -> NDArray[np.str_]:
    """Cut language-specific subtypes off relation labels, as the official UD evaluation does."""
    # -> (n,)
    labels = list(labels)
    names = {label: label.partition(":")[0] for label in set(labels)}
    return np.array([names[label] for label in labels], dtype=np.str_)


def _heads_over_kept(
    trees: FlatTrees,
    predictions: Sequence[Prediction],
    kept: NDArray[np.bool_],
    roots: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give the predicted heads, decoded anew over the kept words where there are scores for it.

    Words that are not kept have the head -1 in a sentence that is decoded anew.
    """
    heads, masks = trees.split(trees.pred), trees.split(kept)
    chosen = [index for index, one in enumerate(predictions) if one.distances is not None]
    decoded = decode_rooted(
        [np.asarray(predictions[index].distances) for index in chosen],
        [np.zeros(len(masks[index])) for index in chosen],  # the same tree from every root
        kept=[masks[index] for index in chosen],
    )
    for index, found in zip(chosen, decoded, strict=True):
        heads[index] = found
    for index, one in enumerate(predictions):
        if one.distances is None and one.arc_scores is not None:
            heads[index] = _best_arcs(one, masks[index], int(roots[index]), index)
    return np.concatenate([np.empty(0, np.int64), *heads])


def _is_rootless(prediction: Prediction) -> bool:
    """Tell whether a prediction is no tree and says nothing of the root."""
    scores = prediction.arc_scores
    return not prediction.as_tree and scores is not None and bool(np.isneginf(scores[:, 0]).all())


def _best_arcs(
    prediction: Prediction, kept: NDArray[np.bool_], root: int, index: int
) -> NDArray[np.intp]:
    """Decode arc scores over some words, as a tree or each word by itself."""
    heads, inside = np.full(len(kept), -1), np.flatnonzero(kept)
    if len(inside) < 2:
        return heads
    positions = np.append(0, inside + 1)  # (kept + 1,)
    scores = np.array(prediction.arc_scores, dtype=np.float64)[inside[:, None], positions]
    if not prediction.as_tree:
        heads[inside] = positions[best_heads(scores)]
        return heads
    forced = int(np.searchsorted(positions, root)) if root else None
    if forced:
        scores[:, 0] = 0.0  # the root is settled: its scores, which may forbid it, have no say
    try:
        heads[inside] = positions[arborescence(scores, root=forced)]
    except TreeError as error:
        raise ScoreError(error.what, where=f"predictions[{index}]", hint=error.hint) from error
    return heads
