"""The counts, one row per sentence, and every score as a ratio of their sums."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError, unknown_name

COLUMNS = (
    "words",  # all words: what UAS counts
    "kept",  # words that count for UUAS and root
    "edges",  # gold edges between kept words
    "right_edges",
    "right_heads",
    "labels",  # words whose gold and predicted relation are both known
    "right_labels",  # of these, right head and right relation without subtype
    "content",  # of these, content words by the gold relation
    "pred_content",  # and by the predicted one
    "right_content",  # content words among right_labels
    "roots",  # 1 where a word is kept
    "right_roots",
    "rows",  # words with a rank correlation of distances
    "row_sum",  # their sum
    "undefined_rows",  # words without one, for a constant prediction
    "orders",  # 1 where the depths have a rank correlation
    "order_sum",  # its value
    "undefined_orders",  # 1 where they have none, for a constant prediction
)
"""The columns of a table of counts, in order."""


Table: TypeAlias = NDArray[np.float64]  # (n_sentences, len(COLUMNS))


class Quotient(NamedTuple):
    """The columns whose ratio is a score; with predicted items beside gold ones, it is their F1."""

    part: str
    whole: str
    by_length: bool = False
    predicted: str | None = None


METRICS = {
    "uuas": Quotient("right_edges", "edges"),
    "uas": Quotient("right_heads", "words"),
    "las": Quotient("right_labels", "labels"),
    "clas": Quotient("right_content", "content", predicted="pred_content"),
    "dspr": Quotient("row_sum", "rows", by_length=True),
    "nspr": Quotient("order_sum", "orders", by_length=True),
    "root_acc": Quotient("right_roots", "roots"),
}
"""The scores by name."""


def column(table: Table, name: str) -> NDArray[np.float64]:
    """Give one column of a table of counts."""
    # -> (n_sentences,)
    values: NDArray[np.float64] = table[:, COLUMNS.index(name)]
    return values


BY_SENTENCE = ("uuas", "uas", "las")
"""The scores that a protocol may average over sentences, without the arc of the root."""


def wholes_of(table: Table, metric: str, *, by_sentence: bool = False) -> NDArray[np.float64]:
    """Give what a score is divided by: of an F1, the mean of gold and predicted items."""
    # -> (n_sentences,)
    quotient = METRICS[metric]
    if by_sentence and metric == "uas":  # as edges and labels, which leave out the root
        return column(table, quotient.whole) - 1
    whole = column(table, quotient.whole)
    return whole if quotient.predicted is None else (whole + column(table, quotient.predicted)) / 2


def n_scored(table: Table, metric: str, *, by_sentence: bool = False) -> int:
    """Count the sentences in which there is something to score."""
    least = int(by_sentence and metric == "uas")  # the root's arc
    return int((column(table, METRICS[metric].whole) > least).sum())


def estimates(
    table: Table,
    metric: str,
    weights: ArrayLike | None = None,
    whole_weights: ArrayLike | None = None,
    *,
    by_sentence: bool = False,
) -> NDArray[np.float64]:
    """Compute one score under several weightings of the sentences, or of parts and wholes apart."""
    # weights (b, n_sentences), whole_weights the same or (1, n_sentences) -> (b,)
    if metric not in METRICS:
        raise ScoreError(unknown_name("score", metric, METRICS))
    quotient = METRICS[metric]
    taken = np.ones((1, len(table))) if weights is None else np.asarray(weights, dtype=float)
    of_whole = taken if whole_weights is None else np.asarray(whole_weights, dtype=float)
    part, whole = column(table, quotient.part), wholes_of(table, metric, by_sentence=by_sentence)
    if by_sentence and metric in BY_SENTENCE:  # shares of sentences, which weigh the same
        part, whole = np.nan_to_num(divide(part, whole)), (whole > 0).astype(np.float64)
    if not quotient.by_length:
        return divide(taken @ part, of_whole @ whole)
    scored = whole > 0
    lengths, which = np.unique(column(table, "words")[scored], return_inverse=True)
    of_length = np.eye(len(lengths))[which]  # (scored sentences, lengths)
    taken = taken[:, scored]
    of_whole = taken if whole_weights is None else of_whole[:, scored]
    parts, wholes = (
        weighting @ (of_length * one[scored, None])
        for weighting, one in ((taken, part), (of_whole, whole))
    )
    means = divide(parts, wholes)  # (b, lengths)
    present = ~np.isnan(means)
    return divide(np.where(present, means, 0.0).sum(axis=1), present.sum(axis=1))


def divide(
    part: NDArray[np.float64], whole: NDArray[np.floating | np.integer]
) -> NDArray[np.float64]:
    """Divide, with NaN for 0 / 0."""
    found = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
