"""Runs that are done together, as one piece of work that any process can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from structprobe.experiments.fit import make_probe, run_probe
from structprobe.experiments.grid import Run
from structprobe.experiments.runs import Banks, Outcome

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank


@dataclass(frozen=True, slots=True)
class Group:
    """Some runs on one model's vectors.

    Vectors in a store travel as the place where they lie, so that every process maps the same
    files; what comes back are rows, and predictions where they are kept.

    Attributes
    ----------
    runs : tuple of Run
        What to do.
    vectors : mapping of str to EncodedBank
        The vectors of each part.
    banks : Banks
        The treebanks.
    device : str
        Where the probes are trained.
    verbose : bool
        Whether to draw bars.
    keep_predictions : bool
        Whether the predictions are wanted.
    """

    runs: tuple[Run, ...]
    vectors: Mapping[str, EncodedBank]
    banks: Banks
    device: str = "auto"
    verbose: bool = False
    keep_predictions: bool = False

    def __call__(self) -> list[tuple[Run, Outcome]]:
        """Do the runs.

        Returns
        -------
        list of (Run, Outcome)
            Each run with what it gave.
        """
        return [(run, self._do(run)) for run in self.runs]

    def _do(self, run: Run) -> Outcome:
        at_layer = {part: bank.layer(run.layer) for part, bank in self.vectors.items()}
        probe = make_probe(run, device=self.device, verbose=self.verbose)
        found = run_probe(probe, run, at_layer, self.banks)
        return found if self.keep_predictions else replace(found, predictions=())
