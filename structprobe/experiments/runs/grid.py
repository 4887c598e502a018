"""The runs of a sweep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from structprobe.devices import find_device
from structprobe.errors import ProbeError, check_encoder
from structprobe.experiments.config import Training
from structprobe.experiments.layers_ranks_seeds import check_ranks, check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks, Run
from structprobe.probe.training.recipes import chooses

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


def known_products(training: Training, *, here: bool = False) -> Training:
    """Resolve products="auto" on this machine, and check its device."""
    from structprobe.probe.training.settings import read_products

    if here:
        find_device(training.device, error=ProbeError)
    return replace(training, products=read_products(training.products, training.device))


def probe_runs(
    encoder: Encoder, banks: Banks, grid: Grid, training: Training, method: str = "probe"
) -> list[Run]:
    """List the probes of a grid: every layer with every rank and seed."""
    told = {"method": method, "uses_gold": False, **encoder.origin(0)}
    told |= {name: getattr(training, name) for name in ("recipe", "max_steps", "products")}
    if chooses(training.recipe):
        told["select"] = training.select
    return [
        Run.of({**told, "layer": layer, "rank": rank, "seed": seed}, banks)
        for layer in grid.layers
        for rank in grid.ranks
        for seed in grid.seeds
    ]
