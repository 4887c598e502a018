"""Gold trees and predictions, checked and concatenated for counting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError, TreeError, counted
from structprobe.scores.prediction import Prediction
from structprobe.tree_faults import TreesLike, check_range, checked_depths, join_heads, word_depths


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """The gold and predicted trees of all sentences, concatenated."""

    lengths: NDArray[np.int64]  # (n_sentences,): words of each sentence
    sentence: NDArray[np.int64]  # (n_words,): the sentence that each word stands in, 0-based
    first: NDArray[np.int64]  # (n_words,)
    gold: NDArray[np.int64]  # (n_words,): heads within the sentence, 1-based, 0 for the root
    pred: NDArray[np.int64]  # (n_words,): heads within the sentence, 1-based, 0 for the root
    gold_depths: NDArray[np.float64]  # (n_words,)
    pred_depths: NDArray[np.float64]  # (n_words,)

    @property
    def positions(self) -> NDArray[np.int64]:
        """The 1-based position of each word in its sentence, shape (n_words,)."""
        return np.arange(len(self.first)) - self.first + 1

    def split(self, words: NDArray[Any]) -> list[NDArray[Any]]:
        """Split an array over all words into sentences."""
        # words (n_words,) -> (n,)
        ends = np.cumsum(self.lengths).tolist()
        return [words[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def flatten(gold: TreesLike, predictions: Sequence[Prediction]) -> FlatTrees:
    """Check gold trees and predictions, and concatenate them."""
    if len(gold) != len(predictions):
        given = counted(len(predictions), "prediction")
        what = f"{counted(len(gold), 'gold sentence')} but {given}"
        raise ScoreError(what, hint="give one prediction per sentence, in the same order")
    for index, one in enumerate(predictions):
        if not isinstance(one, Prediction):
            what = f"predictions[{index}] is a {type(one).__name__}, not a Prediction"
            raise ScoreError(what, hint="write score(gold, predictions), the gold sentences first")
    heads = [_gold_heads(gold, index) for index in range(len(gold))]
    with _named(gold, place, "the gold heads are not a tree: "):
        flat_gold, lengths = join_heads(heads)
        gold_depths = checked_depths(flat_gold, lengths)
    for index, (prediction, n) in enumerate(zip(predictions, lengths.tolist(), strict=True)):
        _check_shapes(prediction, n, partial(pred_place, gold, index))
    _check_values(gold, predictions)
    with _named(gold, pred_place):
        flat_pred, _ = join_heads([prediction.heads for prediction in predictions])
        check_range(flat_pred, lengths)
    pred_depths = word_depths(flat_pred, lengths)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    first = (np.cumsum(lengths) - lengths)[sentence]
    return FlatTrees(
        lengths, sentence, first, flat_gold, flat_pred,
        gold_depths.astype(np.float64), np.where(pred_depths < 0, np.inf, pred_depths),
    )  # fmt: skip


@contextmanager
def _named(
    gold: TreesLike, where: Callable[[TreesLike, int], str], what: str = ""
) -> Iterator[None]:
    """Add the sentence to errors about heads."""
    try:
        yield
    except TreeError as error:
        told = where(gold, error.sentence)
        raise ScoreError(what + error.what, where=told, hint=error.hint) from error


def place(gold: TreesLike, index: int) -> str:
    """Describe the location of a gold sentence, for messages."""
    known = getattr(gold[index], "where", None)
    return f"gold[{index}] ({known})" if known else f"gold[{index}]"


def pred_place(gold: TreesLike, index: int) -> str:
    """Describe the location of a prediction, for messages."""
    return f"predictions{place(gold, index).removeprefix('gold')}"


def _gold_heads(gold: TreesLike, index: int) -> ArrayLike:
    item: Any = gold[index]
    heads: ArrayLike | None = getattr(item, "heads", item)
    if heads is None:
        where, hint = place(gold, index), "use an annotated treebank"
        raise ScoreError("the gold sentence has no heads", where=where, hint=hint)
    return heads


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
            what = f"{name} of shape {found} instead of {shape} for {counted(n, 'word')}"
            hint = "check that predictions and gold are for the same sentences"
            raise ScoreError(what, where=where(), hint=hint)


def _check_values(gold: TreesLike, predictions: Sequence[Prediction]) -> None:
    """Refuse distances and depths that are not finite, and arc scores that are NaN."""
    for name, is_right, told in (
        ("depths", np.isfinite, "finite"),
        ("distances", np.isfinite, "finite"),
        ("arc_scores", lambda values: ~np.isnan(values), "a number"),
    ):
        values = [getattr(prediction, name) for prediction in predictions]
        given = [np.ravel(value) for value in values if value is not None]
        if given and not is_right(np.concatenate(given)).all():
            wrong = (x is not None and not is_right(x).all() for x in values)
            what = f"{name} contain a value that is not {told}"
            raise ScoreError(what, where=pred_place(gold, [*wrong].index(True)))
