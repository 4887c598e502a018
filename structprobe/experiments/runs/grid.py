"""The runs of a sweep."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

from structprobe.devices import find_device
from structprobe.errors import ProbeError, ScoreError, check_encoder, counted
from structprobe.experiments.config import SweepConfig, Training
from structprobe.experiments.layers_ranks_seeds import (
    check_ranks,
    check_samples,
    check_seeds,
    parse_layers,
)
from structprobe.experiments.runs.run import Banks, Run
from structprobe.probe.training.recipes import chooses
from structprobe.treebank.controls import choose_controls

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """The probes fitted on a model: each layer with each rank and seed."""

    layers: tuple[int, ...]
    ranks: tuple[int, ...]
    seeds: tuple[int | None, ...] = (0,)

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        layers: str | Iterable[int],
        ranks: Iterable[int | None],
        seeds: Iterable[int | None],
    ) -> Self:
        """Check the given values against a model."""
        check_encoder(encoder, ProbeError)
        found = (
            parse_layers(layers, encoder.n_layers, encoder.layers),
            check_ranks(ranks, encoder.hidden_size),
        )
        return cls(*found, check_seeds(seeds))

    @classmethod
    def of_one(cls, encoder: Encoder, layer: int, rank: int | None, seed: int | None) -> Self:
        """Check one layer, rank and seed against a model."""
        found = cls.of(encoder, [layer], [rank], [seed])
        if len(found.layers) > 1:
            raise ProbeError(f"layer {layer!r} is several layers", hint="give the number of one")
        return found


@dataclass(frozen=True)
class Fits:
    """The probes of a grid on one model, for the trees of the treebanks or for a control task."""

    model: Callable[[], Encoder]  # Makes it, so that copies are not all in memory at once
    banks: Banks
    runs: list[Run]


def all_fits(
    encoder: Encoder, banks: Banks, grid: Grid, training: Training, config: SweepConfig
) -> list[Fits]:
    """List the probes of a sweep; of each model, the controls come after what they control."""
    controls = choose_controls(config.controls)
    tasks = [
        (task, own)
        for sample, own in _samples(banks, grid, config.train_sentences)
        for task in (sample, *map(sample.controlled, controls))
    ]
    models: list[tuple[str, Callable[[], Encoder], Grid]] = [("probe", lambda: encoder, grid)]
    for seed in grid.seeds if config.untrained else ():  # each has weights of its own
        copy = partial(encoder.untrained, seed or 0)
        models.append(("probe-untrained", copy, replace(grid, seeds=(seed,))))
    found = []
    for name, make, of_model in models:
        model = make()
        for task, own in tasks:
            both = replace(own, seeds=tuple(one for one in own.seeds if one in of_model.seeds))
            runs = probe_runs(model, task, both, training, name, config.stimuli)
            found += [Fits(make, task, runs)] if runs else []
    return found


def _samples(banks: Banks, grid: Grid, sizes: Iterable[int | None]) -> Iterator[tuple[Banks, Grid]]:
    """Give the training sets, each with the grid on it: every seed has samples of its own."""
    whole, wanted = len(banks.train), check_samples(sizes)
    sampled = [size for size in wanted if size is not None and size < whole]
    for seed in grid.seeds:
        for size in sampled:
            yield banks.sampled(size, seed or 0), replace(grid, seeds=(seed,))
    if None in wanted or whole in wanted:
        yield banks, grid
    if large := [size for size in wanted if size is not None and size > whole]:
        listed = ", ".join(map(str, large))
        what = f"train_sentences {listed}: the training set has only {counted(whole, 'sentence')}"
        if len(large) == len(wanted):
            raise ScoreError(what, hint="use smaller numbers")
        _log.warning("%s; left out", what)


def known_products(training: Training, *, here: bool = False) -> Training:
    """Resolve products="auto" on this machine, and check its device."""
    from structprobe.probe.training.settings import read_products

    if here:
        find_device(training.device, error=ProbeError)
    return replace(training, products=read_products(training.products, training.device))


def probe_runs(
    encoder: Encoder,
    banks: Banks,
    grid: Grid,
    training: Training,
    method: str = "probe",
    stimuli: int = 0,
) -> list[Run]:
    """List the probes of a grid: every layer with every rank and seed."""
    method += "" if banks.control is None else f"-control-{banks.control}"
    from structprobe.probe.data.relation_labels import check_relations
    from structprobe.probe.training.settings import read_reads

    told = {"method": method, "uses_gold": False, **encoder.origin(0)}
    told |= {name: getattr(training, name) for name in ("recipe", "max_steps", "products")}
    if chooses(training.recipe):
        told["select"] = training.select
    if stimuli and banks.control is None:
        told["stimuli"] = stimuli
    if banks.control is None and (reads := read_reads(training.relations)) is not None:
        check_relations({"train": banks.train, "dev": banks.dev})
        told |= {"reads": reads, "decoding": training.decoding}
    return [
        Run.of({**told, "layer": layer, "rank": rank, "seed": seed}, banks)
        for layer in grid.layers
        for rank in grid.ranks
        for seed in grid.seeds
    ]
