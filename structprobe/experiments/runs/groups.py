"""Groups of runs that are done together, by any process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from structprobe.experiments.config import Training
from structprobe.experiments.fit import dev_baselines, make_probe, report
from structprobe.experiments.runs.run import Banks, Outcome, Run, timed
from structprobe.results.rows import Row, bank_name
from structprobe.results.saved_runs import unnamed_probe_path

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank, WordVectors
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.scores.result import Scores


@dataclass(frozen=True, slots=True)
class Group:
    """Some runs on the vectors of one model.

    Vectors in a store are sent as their path, so that every process maps the same files.
    """

    runs: tuple[Run, ...]  # What to do
    vectors: Mapping[str, EncodedBank]  # The vectors of each part
    banks: Banks  # The treebanks
    training: Training  # How the probes are trained
    verbose: bool = False  # Whether to show progress bars
    keep_predictions: bool = False  # Whether the predictions are wanted
    probes_of: str | os.PathLike[str] | None = None

    def __call__(self) -> list[tuple[Run, Outcome]]:
        """Do all runs, for processes that return the outcomes at once."""
        return [*self.outcomes()]

    def outcomes(self) -> Iterator[tuple[Run, Outcome]]:
        """Do the runs, with as many layers together as fit into memory."""
        from structprobe.probe.estimator import fit_together

        probes = [
            make_probe(run.values["rank"], run.values["seed"], self.training, verbose=self.verbose)
            for run in self.runs
        ]
        layers = [run.layer for run in self.runs]
        vectors = {
            part: {layer: bank.layer(layer) for layer in layers}
            for part, bank in self.vectors.items()
        }
        dev = None if self.banks.dev is None else (vectors["dev"], self.banks.dev)
        jobs = [*zip(layers, probes, strict=True)]
        fits = fit_together(jobs, vectors["train"], self.banks.train, dev=dev)
        shares: dict[int, Row] = {}
        baselines = {} if self.probes_of is None else dev_baselines(self.banks)
        for run, probe in zip(self.runs, probes, strict=True):
            while id(probe) not in shares:
                with timed() as times:
                    done = next(fits)
                share = {name: seconds / len(done) for name, seconds in times.items()}
                shares |= {id(fitted): share for _, fitted in done}
            found = self._report(run, probe, vectors, shares[id(probe)])
            if self.probes_of is not None:
                self._save(run, probe, found, baselines)
            yield run, found if self.keep_predictions else replace(found, predictions=())

    def _report(
        self,
        run: Run,
        probe: StructuralProbe,
        vectors: Mapping[str, Mapping[int, WordVectors]],
        share: Row,
    ) -> Outcome:
        """Score one of the probes."""
        at_layer = {part: layers[run.layer] for part, layers in vectors.items()}
        return report(probe, run, at_layer, self.banks, share)

    def _save(
        self, run: Run, probe: StructuralProbe, found: Outcome, baselines: Mapping[str, Scores]
    ) -> None:
        """Save one of the probes, with the same card as `fit_probe`."""
        assert self.probes_of is not None
        probe.save_pretrained(
            unnamed_probe_path(self.probes_of, run.key),
            dev_scores=found.scores.get("dev"),
            fitted_on={part: bank_name(bank) for part, bank in self.banks.parts.items()},
            dev_baselines=baselines,
        )


def groups_of(
    runs: Sequence[Run], vectors: Mapping[str, EncodedBank], memory_gb: float | None = None
) -> list[tuple[Run, ...]]:
    """Split a grid into groups of layers that are trained together."""
    import torch

    from structprobe.probe.training.settings import MEMORY_GB
    from structprobe.probe.training.streaming import laid_out_bytes

    n_words, n_dev_words = (
        int(vectors[part].offsets[-1]) if part in vectors else 0 for part in ("train", "dev")
    )
    room = 1e9 * (MEMORY_GB if memory_gb is None else memory_gb)
    groups: list[list[Run]] = []
    left = 0.0
    for layer, products in dict.fromkeys((run.layer, run.values["products"]) for run in runs):
        width = vectors["train"].layer(layer).hidden_size
        size = laid_out_bytes(n_words, n_dev_words, width, getattr(torch, products))
        left -= size
        if left < 0:
            groups.append([])
            left = room - size
        groups[-1] += [run for run in runs if run.layer == layer]
    return [tuple(group) for group in groups]
