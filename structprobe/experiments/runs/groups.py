"""Groups of runs that are done together, by any process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from structprobe.errors import StructprobeError
from structprobe.experiments.config import Training
from structprobe.experiments.fit import card_of, dev_baselines, make_probe, report
from structprobe.experiments.runs.run import (
    Banks,
    Outcome,
    Run,
    empty_row,
    near_word_bias,
    timed,
)
from structprobe.results.rows import Row
from structprobe.results.saved_runs import unnamed_probe_path
from structprobe.stimuli import Stimulus, score_conditions

if TYPE_CHECKING:
    from structprobe.encoder.vectors import EncodedBank
    from structprobe.probe.data.whitening import SharedMoments


STIMULI = "stimuli"  # the part of made sentences


@dataclass(frozen=True, slots=True)
class Group:
    """Some runs on the vectors of one model."""

    runs: tuple[Run, ...]
    # By part. Vectors in a store are sent as their path: every process maps the same files.
    vectors: Mapping[str, EncodedBank]
    banks: Banks
    training: Training
    stimuli: Sequence[Stimulus] = ()  # Whose vectors are a part too
    verbose: bool = False
    keep_predictions: bool = False
    probes_of: str | os.PathLike[str] | None = None  # The results folder to save the probes in
    moments: SharedMoments | None = None  # Of the vectors, with groups on other trees

    def __call__(self) -> list[tuple[Run, Outcome]]:
        """Do all runs, for processes that return the outcomes at once."""
        return [*self.outcomes()]

    def outcomes(self) -> Iterator[tuple[Run, Outcome]]:
        """Do the runs, with as many layers together as fit into memory.

        Where a control cannot be done, or a sample is too small, its rows say why, and other runs
        go on.
        """
        if self.banks.control is None and self.banks.taken is None:
            yield from self._outcomes()
            return
        own, done = self, set()
        if self.banks.control is not None:
            own = replace(self, keep_predictions=False, probes_of=None)
        try:
            for run, found in own._outcomes():
                done.add(run.key)
                yield run, found
        except StructprobeError as error:
            for run in self.runs:
                if run.key not in done:
                    yield run, Outcome(empty_row(run.values, self.banks, run.key, error), {})

    def _outcomes(self) -> Iterator[tuple[Run, Outcome]]:
        """Do the runs."""
        from structprobe.probe.estimator import fit_together

        training = self.training
        if self.banks.control is not None:  # whose trees have no relations
            training = replace(training, relations=False, decoding="published")
        probes = [
            make_probe(run.values["rank"], run.values["seed"], training, verbose=self.verbose)
            for run in self.runs
        ]
        layers = [run.layer for run in self.runs]
        vectors = {
            part: {layer: bank.layer(layer) for layer in layers}
            for part, bank in self.vectors.items()
        }
        if self.banks.taken is not None:
            taken = self.banks.taken
            vectors["train"] = {layer: own.take(taken) for layer, own in vectors["train"].items()}
        dev = None if self.banks.dev is None else (vectors["dev"], self.banks.dev)
        jobs = [*zip(layers, probes, strict=True)]
        trees = vectors["train"], self.banks.train
        fits = fit_together(jobs, *trees, dev=dev, moments=self.moments)
        shares: dict[int, Row] = {}
        baselines = {} if self.probes_of is None else dev_baselines(self.banks)
        for run, probe in zip(self.runs, probes, strict=True):
            while id(probe) not in shares:
                with timed() as times:
                    done = next(fits)
                share = {name: seconds / len(done) for name, seconds in times.items()}
                shares |= {id(fitted): share for _, fitted in done}
            at_layer = {part: layers[run.layer] for part, layers in vectors.items()}
            made = at_layer.pop(STIMULI, None)
            found = report(probe, run, at_layer, self.banks, shares[id(probe)])
            if made is not None and self.banks.control is None:
                conditions = score_conditions(self.stimuli, probe.predictions(made))
                found = replace(found, conditions=conditions)
                found.row.update(near_word_bias(conditions))
            if self.probes_of is not None:
                place = unnamed_probe_path(self.probes_of, run.key)
                probe.save_pretrained(place, **card_of(found, self.banks, baselines))
            yield run, found if self.keep_predictions else replace(found, predictions=())


def room_of(memory_gb: float | None) -> int:
    """Return the bytes that vectors may take during training."""
    from structprobe.probe.training.settings import MEMORY_GB

    return int(1e9 * (MEMORY_GB if memory_gb is None else memory_gb))


def groups_of(
    runs: Sequence[Run], vectors: Mapping[str, EncodedBank], memory_gb: float | None = None
) -> list[tuple[Run, ...]]:
    """Split a grid into groups of layers that are trained together."""
    import torch

    from structprobe.probe.training.streaming import laid_out_bytes

    n_words, n_dev_words = (
        int(vectors[part].offsets[-1]) if part in vectors else 0 for part in ("train", "dev")
    )
    room, left = room_of(memory_gb), 0
    groups: list[list[Run]] = []
    for layer, products in dict.fromkeys((run.layer, run.values["products"]) for run in runs):
        width = vectors["train"].layer(layer).hidden_size
        size = laid_out_bytes(n_words, n_dev_words, width, getattr(torch, products))
        left -= size
        if left < 0:
            groups.append([])
            left = room - size
        groups[-1] += [run for run in runs if run.layer == layer]
    return [tuple(group) for group in groups]
