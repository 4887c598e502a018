"""Right edges, heads, labels and roots: which words of a prediction are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError, TreeError
from structprobe.scores.inputs import FlatTrees
from structprobe.scores.prediction import Prediction
from structprobe.trees import decode_rooted
from structprobe.trees.arborescence import arborescence
from structprobe.trees.best_heads import best_heads


def scored_edges(trees: FlatTrees, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which words' gold arcs are edges that UUAS counts.

    Parameters
    ----------
    trees : FlatTrees
        The gold trees.
    kept : ndarray of bool, shape (n_words,)
        The words that count.

    Returns
    -------
    ndarray of bool, shape (n_words,)
        True where the word has a head, and both are kept.
    """
    has_head = trees.gold > 0
    return kept & has_head & kept[trees.first + np.where(has_head, trees.gold - 1, 0)]


def right_edges(
    trees: FlatTrees,
    predictions: Sequence[Prediction],
    kept: NDArray[np.bool_],
    roots: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Tell which words' gold arcs are, in either direction, among the predicted edges.

    A prediction with distances is decoded anew over the kept words, by minimum spanning tree
    (Hewitt & Manning 2019, section 4.1 and their code); one with arc scores by maximum
    arborescence from the predicted root or, where it is no tree, by the best kept head of each kept
    word; one with heads alone has those edges of its tree that join two kept words.

    Parameters
    ----------
    trees : FlatTrees
        Gold and predicted trees.
    predictions : sequence of Prediction
        The predictions that they came from.
    kept : ndarray of bool, shape (n_words,)
        The words that count.
    roots : ndarray of int64, shape (n_sentences,)
        The predicted root of each sentence, as `predicted_roots` gives it.

    Returns
    -------
    ndarray of bool, shape (n_words,)
        True where the word's gold arc is a predicted edge; only where `scored_edges` is true has
        it a meaning.
    """
    pred = _heads_over_kept(trees, predictions, kept, roots)
    heads = trees.first + np.maximum(trees.gold - 1, 0)  # place of the gold head among all words
    return (pred == trees.gold) | (pred[heads] == trees.positions)


def predicted_roots(
    trees: FlatTrees, predictions: Sequence[Prediction], kept: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Find the least deep kept word of each sentence, the first of several.

    Depths are the predicted ones, or those of the predicted heads where a prediction has none.

    Parameters
    ----------
    trees : FlatTrees
        Gold and predicted trees.
    predictions : sequence of Prediction
        The predictions that they came from.
    kept : ndarray of bool, shape (n_words,)
        The words that count.

    Returns
    -------
    ndarray of int64, shape (n_sentences,)
        1-based; 0 where no kept word has a depth.
    """
    depths = trees.pred_depths.copy()
    starts = np.cumsum(trees.lengths) - trees.lengths
    for start, length, prediction in zip(starts, trees.lengths, predictions, strict=True):
        if prediction.depths is not None:
            depths[start : start + length] = prediction.depths
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
    """Tell which sentences' roots are right, and which sentences are asked.

    Parameters
    ----------
    trees : FlatTrees
        The gold trees.
    predictions : sequence of Prediction
        The predictions.
    kept : ndarray of bool, shape (n_words,)
        The words that count.
    roots : ndarray of int64, shape (n_sentences,)
        The predicted root of each sentence, as `predicted_roots` gives it.

    Returns
    -------
    right, asked : ndarray of bool, shape (n_sentences,)
        Asked is every sentence with a kept word whose prediction says something of the root; a gold
        root that is not kept is never found.
    """
    gold_roots = trees.positions[trees.gold == 0]  # one a sentence, in order
    asked = np.bincount(trees.sentence[kept], minlength=len(trees.lengths)) > 0
    asked &= np.array([not _is_rootless(one) for one in predictions], dtype=bool)
    return asked & (roots == gold_roots), asked


def without_subtypes(labels: ArrayLike) -> NDArray[np.str_]:
    """Cut language-specific subtypes off relation labels, as the official UD evaluation does.

    Parameters
    ----------
    labels : array_like of str, shape (n,)
        Such as ``nsubj:pass``.

    Returns
    -------
    ndarray of str, shape (n,)
        Such as ``nsubj``.
    """
    names, which = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    return np.array([name.partition(":")[0] for name in names], dtype=np.str_)[which]


def _heads_over_kept(
    trees: FlatTrees,
    predictions: Sequence[Prediction],
    kept: NDArray[np.bool_],
    roots: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give the predicted heads, decoded anew over the kept words where there are scores for it.

    Words that are not kept have the head -1 in a sentence that is decoded anew.
    """
    pred = trees.pred.copy()
    starts = np.cumsum(trees.lengths) - trees.lengths
    chosen, words, distances = [], [], []  # of the sentences with distances
    for index, (start, length, prediction) in enumerate(
        zip(starts, trees.lengths, predictions, strict=True)
    ):
        if prediction.distances is None and prediction.arc_scores is None:
            continue
        inside = np.flatnonzero(kept[start : start + length])
        pred[start : start + length] = -1
        if len(inside) < 2:
            continue
        if prediction.distances is not None:
            chosen.append(index)
            words.append(start + inside)
            distances.append(np.asarray(prediction.distances)[inside[:, None], inside])
        elif prediction.as_tree:
            pred[start + inside] = _best_arborescence(prediction, inside, int(roots[index]), index)
        else:
            positions = np.append(0, inside + 1)  # (kept + 1,)
            arcs = np.asarray(prediction.arc_scores)[inside[:, None], positions]
            pred[start + inside] = positions[best_heads(arcs)]
    if words:
        heads = np.concatenate(_spanning_trees(distances, chosen))
        place = np.concatenate(words)
        sizes = np.array([len(row) for row in words])
        begin = np.repeat(np.cumsum(sizes) - sizes, sizes)
        position = trees.positions[place[begin + np.maximum(heads - 1, 0)]]
        pred[place] = np.where(heads > 0, position, 0)
    return pred


def _is_rootless(prediction: Prediction) -> bool:
    """Tell whether a prediction is no tree and says nothing of the root."""
    scores = prediction.arc_scores
    return not prediction.as_tree and scores is not None and bool(np.isneginf(scores[:, 0]).all())


def _spanning_trees(
    distances: list[NDArray[np.floating]], chosen: list[int]
) -> list[NDArray[np.intp]]:
    """Decode many sentences; their spanning trees are the same from every root."""
    depths = [np.zeros(len(matrix)) for matrix in distances]
    try:
        return decode_rooted(distances, depths)
    except TreeError:
        # One by one, so that the fault is told by the place of its prediction.
        return [
            _named(index, decode_rooted, [matrix], [row])[0]
            for index, matrix, row in zip(chosen, distances, depths, strict=True)
        ]


def _best_arborescence(
    prediction: Prediction, inside: NDArray[np.intp], root: int, index: int
) -> NDArray[np.intp]:
    """Decode arc scores over some words; the heads are positions among all words."""
    positions = np.append(0, inside + 1)  # (kept + 1,)
    scores = np.array(prediction.arc_scores, dtype=np.float64)[inside[:, None], positions]
    forced = int(np.searchsorted(positions, root)) if root else None
    if forced:
        scores[:, 0] = 0.0  # the root is settled: its scores, which may forbid it, have no say
    return positions[_named(index, arborescence, scores, root=forced)]


def _named(index: int, decode: Callable[..., Any], *args: object, **options: object) -> Any:
    """Decode, and name the prediction from which no tree can be decoded."""
    try:
        return decode(*args, **options)
    except TreeError as error:
        raise ScoreError(error.what, where=f"predictions[{index}]", hint=error.hint) from error
