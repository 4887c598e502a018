"""Comparing the probes of a sweep with those of its control tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from structprobe.experiments.runs.grid import Fits
from structprobe.experiments.runs.run import Banks, Outcome, Run
from structprobe.results.folder import ResultsFolder
from structprobe.results.saved_runs import has_predictions
from structprobe.scores.paired import selectivity
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score


class Comparisons:
    """Adds the selectivity to the rows of controls, from the scores of what they control."""

    def __init__(self, fits: Iterable[Fits], banks: Banks, results: ResultsFolder) -> None:
        self._banks, self._results = banks, results
        self._scores: dict[str, Scores] = {}  # On the real trees, by the run's key
        self._real: dict[str, str] = {}  # The key of what a control controls, by its own
        runs: dict[tuple[object, int], list[Run]] = {}  # By model and training set
        for one in fits:
            of = one.banks.real or one.banks
            real = runs.setdefault((one.model, id(of)), one.runs)  # which come first
            if one.banks.control is not None:
                pairs = zip(one.runs, real, strict=True)
                self._real |= {run.key: other.key for run, other in pairs}

    def in_order(
        self, outcomes: Iterable[tuple[Run, Outcome]], todo: Iterable[str]
    ) -> Iterator[tuple[Run, Outcome]]:
        """Hold controls back until what they control is done, which workers may finish later."""
        left, waiting = {*todo} - self._real.keys(), dict[str, list[tuple[Run, Outcome]]]()
        for run, found in outcomes:
            real_key = self._real.get(run.key)
            if real_key is not None and real_key in left:
                waiting.setdefault(real_key, []).append((run, found))
                continue
            left.discard(run.key)
            yield run, found
            yield from waiting.pop(run.key, ())

    def add(self, run: Run, found: Outcome) -> None:
        """Take the scores of a run; of a control, complete the row."""
        if not found.scores or self._banks.part is None:  # an empty row
            return
        scores = found.scores[self._banks.part]
        if run.key not in self._real:
            if self._real:
                self._scores[run.key] = scores
            return
        real_key = self._real[run.key]
        real = self._scores_of(real_key)
        if real is not None:
            uuas = real.uuas
        else:  # done before, without predictions: the row alone has its score, if any
            rows = self._results.rows
            uuas = next((row["uuas"] for row in rows if row["key"] == real_key), None)
        if uuas is None or scores.uuas is None:
            return
        found.row["selectivity"] = uuas - scores.uuas
        if real is not None:
            told = selectivity(real, scores)
            found.row["selectivity_low"], found.row["selectivity_high"] = told.low, told.high

    def _scores_of(self, key: str) -> Scores | None:
        """Give the scores of a run on the real trees, from its predictions if it is an old one."""
        if key not in self._scores and has_predictions(self._results.folder, key):
            assert self._banks.scored is not None
            predictions = [found for _, found in self._results.predictions(key)]
            self._scores[key] = score(self._banks.scored, predictions, punct=self._banks.punct)
        return self._scores.get(key)
