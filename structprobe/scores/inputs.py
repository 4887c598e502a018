"""Gold trees and predictions, checked against one another and laid out flat for counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError
from structprobe.scores.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """The gold and the predicted trees of all sentences, one word behind the other.

    Attributes
    ----------
    lengths : ndarray of int64, shape (n_sentences,)
        Words of each sentence.
    sentence : ndarray of int64, shape (n_words,)
        The sentence that each word stands in, 0-based.
    first : ndarray of int64, shape (n_words,)
        The place, among all words, of the first word of each word's sentence.
    gold, pred : ndarray of int64, shape (n_words,)
        The heads within the sentence, 1-based, 0 for the root's.
    gold_depths, pred_depths : ndarray of float, shape (n_words,)
        Depth of each word in its tree, 0 for the root, infinity where no root is reached (in
        predicted heads that are no tree).
    """

    lengths: NDArray[np.int64]
    sentence: NDArray[np.int64]
    first: NDArray[np.int64]
    gold: NDArray[np.int64]
    pred: NDArray[np.int64]
    gold_depths: NDArray[np.float64]
    pred_depths: NDArray[np.float64]

    @property
    def positions(self) -> NDArray[np.int64]:
        """The 1-based position of each word in its sentence, shape (n_words,)."""
        return np.arange(len(self.first)) - self.first + 1


def flatten(gold: Sequence[Any], predictions: Sequence[Prediction]) -> FlatTrees:
    """Check gold trees and predictions and lay them out flat.

    Parameters
    ----------
    gold : sequence of Sentence or of head arrays
        The gold trees.
    predictions : sequence of Prediction
        One for each. Their heads need be no tree, so that methods which give each word its
        likeliest head are scored too.

    Returns
    -------
    FlatTrees
        Both, flat.

    Raises
    ------
    ScoreError
        If their numbers differ, a gold sentence has no heads or heads that are no tree, or a
        prediction has other shapes than its sentence, a head out of range or a value that is
        not finite. The first such sentence is named.
    """
    if len(gold) != len(predictions):
        raise ScoreError(
            f"{len(gold)} gold sentences but {len(predictions)} predictions",
            hint="give one prediction for each sentence, in the same order",
        )
    gold_heads = [_gold_heads(gold, index) for index in range(len(gold))]
    pred_heads = [
        _checked_heads(prediction, heads, pred_place(gold, index))
        for index, (prediction, heads) in enumerate(zip(predictions, gold_heads, strict=True))
    ]
    lengths = np.array([len(heads) for heads in gold_heads], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    flat_gold, flat_pred = _joined(gold_heads), _joined(pred_heads)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    first = starts[sentence]
    gold_depths = _depths(flat_gold, first, lengths)
    _check_trees(gold, flat_gold, gold_depths, sentence)
    return FlatTrees(
        lengths, sentence, first, flat_gold, flat_pred,
        gold_depths, _depths(flat_pred, first, lengths),
    )  # fmt: skip


def place(gold: Sequence[Any], index: int) -> str:
    """Say where a gold sentence stands, for messages.

    Parameters
    ----------
    gold : sequence of Sentence or of head arrays
        The gold trees.
    index : int
        Which of them, 0-based.

    Returns
    -------
    str
        Such as ``gold[3] (en.conllu:12: sent_id 'weblog-3')``.
    """
    known = getattr(gold[index], "where", None)
    return f"gold[{index}] ({known})" if known else f"gold[{index}]"


def pred_place(gold: Sequence[Any], index: int) -> str:
    """Say which sentence a prediction belongs to, for messages.

    Parameters
    ----------
    gold : sequence of Sentence or of head arrays
        The gold trees.
    index : int
        Which of them, 0-based.

    Returns
    -------
    str
        Such as ``predictions[3] (en.conllu:12: sent_id 'weblog-3')``.
    """
    return f"predictions{place(gold, index).removeprefix('gold')}"


def _gold_heads(gold: Sequence[Any], index: int) -> NDArray[np.int64]:
    item = gold[index]
    heads = getattr(item, "heads", item)
    if heads is None:
        raise ScoreError(
            "the gold sentence has no heads",
            where=place(gold, index),
            hint="score against an annotated treebank",
        )
    return _heads(heads, place(gold, index))


def _heads(heads: ArrayLike, where: str) -> NDArray[np.int64]:
    """Give heads as integers, whatever they came in, if they lie within the sentence."""
    array = np.asarray(heads)
    if array.ndim != 1 or not len(array) or not np.issubdtype(array.dtype, np.integer):
        raise ScoreError(
            f"heads of shape {array.shape} and type {array.dtype}",
            where=where,
            hint="give one integer a word, at least one word",
        )
    if array.min() < 0 or array.max() > len(array):
        word = int(np.flatnonzero((array < 0) | (array > len(array)))[0])
        raise ScoreError(
            f"head {array[word]} of word {word + 1} is not within 0 to {len(array)}", where=where
        )
    return array.astype(np.int64)


def _checked_heads(
    prediction: Prediction, gold_heads: NDArray[np.int64], where: str
) -> NDArray[np.int64]:
    """Check a prediction against the length of its sentence and give its heads."""
    n = len(gold_heads)
    shapes = {"heads": (n,), "deprels": (n,), "depths": (n,), "distances": (n, n),
              "arc_scores": (n, n + 1)}  # fmt: skip
    for name, shape in shapes.items():
        value = getattr(prediction, name)
        if value is None:
            if name == "heads":
                raise ScoreError("the prediction has no heads", where=where)
            continue
        found = (len(value),) if name == "deprels" else np.shape(value)
        if found != shape:
            raise ScoreError(
                f"{name} of shape {found}, but {n} words ask for {shape}",
                where=where,
                hint="check that predictions and gold are of the same sentences",
            )
        if name in ("depths", "distances") and not np.isfinite(value).all():
            raise ScoreError(f"{name} hold a value that is not finite", where=where)
        if name == "arc_scores" and np.isnan(value).any():
            raise ScoreError(f"{name} hold a value that is not a number", where=where)
    return _heads(prediction.heads, where)


def _joined(arrays: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int64)


def _depths(
    heads: NDArray[np.int64], first: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Count the steps from each word to its root by pointer doubling; infinite where none is."""
    n_words = len(heads)
    # One more word, above all roots and its own head, takes in the paths that have ended.
    parent = np.append(np.where(heads > 0, first + heads - 1, n_words), n_words)
    steps = np.append(np.ones(n_words, dtype=np.int64), 0)
    for _ in range(int(lengths.max(initial=0)).bit_length()):
        steps += steps[parent]
        parent = parent[parent]
    return np.where(parent[:-1] == n_words, steps[:-1] - 1.0, np.inf)


def _check_trees(
    gold: Sequence[Any],
    heads: NDArray[np.int64],
    depths: NDArray[np.float64],
    sentence: NDArray[np.int64],
) -> None:
    """Refuse gold heads that are no tree with one root."""
    roots = np.bincount(sentence[heads == 0], minlength=len(gold))
    looped = np.bincount(sentence[np.isinf(depths)], minlength=len(gold))
    wrong = np.flatnonzero((roots != 1) | (looped > 0))
    if len(wrong):
        index = int(wrong[0])
        raise ScoreError(
            f"the gold heads are no tree: {roots[index]} roots, {looped[index]} words on or below "
            "a cycle",
            where=place(gold, index),
        )
