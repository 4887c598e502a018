"""The runs of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

from structprobe.devices import find_device
from structprobe.errors import ProbeError, check_encoder
from structprobe.experiments.config import SweepConfig, Training
from structprobe.experiments.layers_ranks_seeds import check_ranks, check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks, Run
from structprobe.probe.training.recipes import chooses
from structprobe.treebank.controls import choose_controls

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


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
    models: list[tuple[str, Callable[[], Encoder], Grid]] = [("probe", lambda: encoder, grid)]
    for seed in grid.seeds if config.untrained else ():  # each has weights of its own
        copy = partial(encoder.untrained, seed or 0)
        models.append(("probe-untrained", copy, replace(grid, seeds=(seed,))))
    tasks = [banks, *map(banks.controlled, choose_controls(config.controls))]
    found = []
    for name, make, own in models:
        model = make()
        for task in tasks:
            runs = probe_runs(model, task, own, training, name, config.stimuli)
            found.append(Fits(make, task, runs))
    return found


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
    told = {"method": method, "uses_gold": False, **encoder.origin(0)}
    told |= {name: getattr(training, name) for name in ("recipe", "max_steps", "products")}
    if chooses(training.recipe):
        told["select"] = training.select
    if stimuli and banks.control is None:
        told["stimuli"] = stimuli
    return [
        Run.of({**told, "layer": layer, "rank": rank, "seed": seed}, banks)
        for layer in grid.layers
        for rank in grid.ranks
        for seed in grid.seeds
    ]
