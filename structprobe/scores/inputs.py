"""Gold trees and predictions, checked against one another and laid out flat for counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError
from structprobe.scores.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """The gold and the predicted trees of all sentences, one word behind the other."""

    lengths: NDArray[np.int64]  # (n_sentences,): words of each sentence
    sentence: NDArray[np.int64]  # (n_words,): the sentence that each word stands in, 0-based
    first: NDArray[np.int64]  # (n_words,)
    gold: NDArray[np.int64]  # (n_words,): the heads within the sentence, 1-based, 0 for the root's
    pred: NDArray[np.int64]  # (n_words,): the heads within the sentence, 1-based, 0 for the root's
    gold_depths: NDArray[np.float64]  # (n_words,)
    pred_depths: NDArray[np.float64]  # (n_words,)

    @property
    def positions(self) -> NDArray[np.int64]:
        """The 1-based position of each word in its sentence, shape (n_words,)."""
        return np.arange(len(self.first)) - self.first + 1

    def split(self, words: NDArray[Any]) -> list[NDArray[Any]]:
        """Cut what is said of all words by sentences."""
        # words (n_words,) -> (n,)
        ends = np.cumsum(self.lengths).tolist()
        return [words[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def flatten(gold: Sequence[Any], predictions: Sequence[Prediction]) -> FlatTrees:
    """Check gold trees and predictions and lay them out flat."""
    if len(gold) != len(predictions):
        raise ScoreError(
            f"{len(gold)} gold sentences but {len(predictions)} predictions",
            hint="give one prediction for each sentence, in the same order",
        )
    heads = [_gold_heads(gold, index) for index in range(len(gold))]
    lengths = np.array([len(row) for row in heads], dtype=np.int64)
    for index, (prediction, n) in enumerate(zip(predictions, lengths.tolist(), strict=True)):
        _check_shapes(prediction, n, partial(pred_place, gold, index))
    _check_values(gold, predictions)
    flat_gold = _joined(heads)
    flat_pred = _joined([np.asarray(prediction.heads) for prediction in predictions])
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    first = (np.cumsum(lengths) - lengths)[sentence]
    for flat, where in ((flat_gold, place), (flat_pred, pred_place)):
        _check_range(flat, lengths, first, sentence, partial(where, gold))
    gold_depths = _depths(flat_gold, first, lengths)
    _check_trees(gold, flat_gold, gold_depths, sentence)
    return FlatTrees(
        lengths, sentence, first, flat_gold, flat_pred,
        gold_depths, _depths(flat_pred, first, lengths),
    )  # fmt: skip


def place(gold: Sequence[Any], index: int) -> str:
    """Say where a gold sentence stands, for messages."""
    known = getattr(gold[index], "where", None)
    return f"gold[{index}] ({known})" if known else f"gold[{index}]"


def pred_place(gold: Sequence[Any], index: int) -> str:
    """Say which sentence a prediction belongs to, for messages."""
    return f"predictions{place(gold, index).removeprefix('gold')}"


def _gold_heads(gold: Sequence[Any], index: int) -> NDArray[np.integer]:
    item = gold[index]
    heads = getattr(item, "heads", item)
    if heads is None:
        raise ScoreError(
            "the gold sentence has no heads",
            where=place(gold, index),
            hint="score against an annotated treebank",
        )
    return _heads(heads, partial(place, gold, index))


def _heads(heads: ArrayLike, where: Callable[[], str]) -> NDArray[np.integer]:
    """Give heads as the array that they should be."""
    array = np.asarray(heads)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise ScoreError(
            f"heads of shape {array.shape} and type {array.dtype}",
            where=where(),
            hint="give one integer a word, at least one word",
        )
    return array


def _check_shapes(prediction: Prediction, n: int, where: Callable[[], str]) -> None:
    """Check a prediction against the length of its sentence."""
    shapes = {"heads": (n,), "deprels": (n,), "depths": (n,), "distances": (n, n),
              "arc_scores": (n, n + 1)}  # fmt: skip
    for name, shape in shapes.items():
        value = getattr(prediction, name)
        if value is None:
            if name == "heads":
                raise ScoreError("the prediction has no heads", where=where())
            continue
        found = (len(value),) if name == "deprels" else np.shape(value)
        if found != shape:
            raise ScoreError(
                f"{name} of shape {found}, but {n} words ask for {shape}",
                where=where(),
                hint="check that predictions and gold are of the same sentences",
            )
    _heads(prediction.heads, where)


def _check_values(gold: Sequence[Any], predictions: Sequence[Prediction]) -> None:
    """Refuse distances and depths that are not finite, and arc scores that are no numbers."""
    for name, wrong, told in (
        ("depths", _not_finite, "finite"),
        ("distances", _not_finite, "finite"),
        ("arc_scores", np.isnan, "a number"),
    ):
        values = [getattr(prediction, name) for prediction in predictions]
        given = [np.ravel(value) for value in values if value is not None]
        if given and wrong(np.concatenate(given)).any():
            index = next(i for i, x in enumerate(values) if x is not None and wrong(x).any())
            what = f"{name} hold a value that is not {told}"
            raise ScoreError(what, where=pred_place(gold, index))


def _check_range(
    heads: NDArray[np.int64],
    lengths: NDArray[np.int64],
    first: NDArray[np.int64],
    sentence: NDArray[np.int64],
    where: Callable[[int], str],
) -> None:
    """Refuse heads outside of their sentence."""
    wrong = np.flatnonzero((heads < 0) | (heads > lengths[sentence]))
    if len(wrong):
        word, index = wrong[0], int(sentence[wrong[0]])
        raise ScoreError(
            f"head {heads[word]} of word {word - first[word] + 1} is not within 0 to"
            f" {lengths[index]}",
            where=where(index),
        )


def _not_finite(values: ArrayLike) -> NDArray[np.bool_]:
    return ~np.isfinite(values)


def _joined(arrays: list[NDArray[np.integer]]) -> NDArray[np.int64]:
    return np.concatenate(arrays).astype(np.int64) if arrays else np.empty(0, dtype=np.int64)


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
