"""The runs whose predictions are kept, read and scored anew for the tables and the explorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from structprobe.progress import progress_bar
from structprobe.results.rows import Row, per_cent
from structprobe.results.saved_runs import (
    SAME_SCORE,
    has_predictions,
    read_gold,
    read_predictions,
)
from structprobe.scores import score
from structprobe.scores.prediction import Prediction
from structprobe.scores.result import Scores
from structprobe.scores.table import column
from structprobe.show.report.series import Series
from structprobe.treebank.sentence import Sentence

MOST_RUNS = 40  # in an explorer; the series that go beyond it are in the tables alone


@dataclass(frozen=True)
class KeptRun:
    """One run with its predictions."""

    row: Row  # Its result row
    name: str  # What tells it from the others of its series
    sentences: Sequence[Sentence]  # With gold trees, unless an older version kept them
    predictions: Sequence[Prediction]  # One a sentence
    scores: Scores | None  # By the row's protocol
    drawn: NDArray[np.int64]  # (n_sentences,)

    @property
    def fault(self) -> str | None:
        """What does not fit: the score of the row and that of the saved predictions."""
        uuas = None if self.scores is None else self.scores.uuas
        if uuas is None or abs(uuas - self.row["uuas"]) < SAME_SCORE:
            return None
        both = f"{per_cent(self.row['uuas'])}, but its saved predictions score {per_cent(uuas)}"
        return f"The row of {self.name} says UUAS {both}."


@dataclass(frozen=True)
class KeptSeries:
    """The runs of a series that keep predictions."""

    series: Series  # The whole series
    runs: Sequence[KeptRun]  # At least one

    @property
    def best(self) -> int:
        """The place of the best run that is here."""
        key = self.series.chosen_by
        return max(range(len(self.runs)), key=lambda at: self.runs[at].row[key] or 0.0)


def read_kept(
    folder: Path, series: Sequence[Series], progress: bool | None = None
) -> list[KeptSeries]:
    """Read the predictions of series, as many as an explorer holds."""
    chosen: list[tuple[Series, list[tuple[Row, str]]]] = []
    n_runs = 0
    for one in series:
        named = zip(one.rows, one.names, strict=True)
        there = [both for both in named if has_predictions(folder, both[0]["key"])]
        if there and (not chosen or n_runs + len(there) <= MOST_RUNS):
            n_runs += len(there)
            chosen.append((one, there))
    banks = read_gold(folder, (row for one in series for row in one.rows))
    with progress_bar("read", n_runs, "run", shown=progress) as advance:

        def read(row: Row, name: str) -> KeptRun:
            advance(1)
            return _read(folder, row, name, banks)

        return [KeptSeries(one, list(starmap(read, there))) for one, there in chosen]


def _read(folder: Path, row: Row, name: str, banks: Mapping[object, Sequence[Sentence]]) -> KeptRun:
    """Read one run; sentences are the same objects for all runs on one treebank."""
    sentences = banks[row["treebank_fingerprint"]]
    predictions = [prediction for _, prediction in read_predictions(folder, row["key"])]
    if any(sentence.heads is None for sentence in sentences):
        nothing = np.zeros(len(sentences), np.int64)
        return KeptRun(row, name, sentences, predictions, None, nothing)
    scores = score(sentences, predictions, punct=row["punct"])
    trees = [replace(one, distances=None, arc_scores=None) for one in predictions]
    over_all = score(sentences, trees, punct=row["punct"])
    drawn = column(over_all.table, "right_edges").astype(np.int64)
    return KeptRun(row, name, sentences, predictions, scores, drawn)
