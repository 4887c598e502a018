"""Which runs a sweep is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Self

from structprobe.devices import find_device
from structprobe.errors import ProbeError
from structprobe.experiments.config import Training
from structprobe.experiments.runs.run import Banks, Run

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


def parse_layers(layers: str | Iterable[int], n_layers: int) -> tuple[int, ...]:
    """Tell which layers are meant."""
    hint = f"the model has layers 0 to {n_layers} (0 = embedding output)"
    if isinstance(layers, str):
        hint += f"; write 'all', or such as '0,1-{n_layers}'"
    wanted: set[int] = set()
    for part in _split(layers, n_layers):
        match = re.fullmatch(r"(-?\d+)(?:-(\d+))?", part)
        if not match:
            raise ProbeError(f"{part!r} is neither a layer nor a range of layers", hint=hint)
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ProbeError(f"the range of layers {part!r} runs backwards", hint=hint)
        if first < 0 or last > n_layers:
            outside = first if first < 0 else last
            raise ProbeError(f"layer {outside} is out of range", hint=hint)
        wanted.update(range(first, last + 1))
    if not wanted:
        raise ProbeError("no layer was named", hint=hint)
    return tuple(sorted(wanted))


def check_ranks(ranks: Iterable[int | None], hidden_size: int) -> tuple[int, ...]:
    """Refuse ranks that a model's vectors do not allow."""
    found = tuple(dict.fromkeys(hidden_size if rank is None else rank for rank in ranks))
    for rank in found:
        if not (_is_whole(rank) and 1 <= rank <= hidden_size):
            raise ProbeError(
                f"rank {rank} is out of range: the model's vectors allow 1 to {hidden_size}"
            )
    if not found:
        raise ProbeError("no rank was named", hint=f"name some from 1 to {hidden_size}")
    return found


def check_seeds(seeds: Iterable[int | None]) -> tuple[int | None, ...]:
    """Refuse random states that no generator takes, before any work is done."""
    found = tuple(dict.fromkeys(seeds))
    for seed in found:
        if seed is not None and not (_is_whole(seed) and seed >= 0):
            raise ProbeError(f"seed {seed} is out of range", hint="give whole numbers, 0 or more")
    if not found:
        raise ProbeError("no seed was named", hint="give whole numbers, 0 or more")
    return found


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(frozen=True)
class Grid:
    """Which probes are fitted on a model: each layer with each rank and seed."""

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
        """Check what was named against a model."""
        return cls(
            parse_layers(layers, encoder.n_layers),
            check_ranks(ranks, encoder.hidden_size),
            check_seeds(seeds),
        )


def known_products(training: Training, *, here: bool = False) -> Training:
    """Decide on this machine what the "auto" of products stands for, and see that it can train."""
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
    return [
        Run.of({**told, "layer": layer, "rank": rank, "seed": seed}, banks)
        for layer in grid.layers
        for rank in grid.ranks
        for seed in grid.seeds
    ]


def baseline_run(name: str, uses_gold: bool, seed: int | None, banks: Banks) -> Run:
    """Make the run of a method without a model."""
    return Run.of({"method": name, "uses_gold": uses_gold, "seed": seed}, banks)


def _split(layers: str | Iterable[int], n_layers: int) -> list[str]:
    """Give the parts of what was named, as text."""
    if not isinstance(layers, str):
        return [str(layer) for layer in layers]
    if layers.strip() == "all":
        return [f"0-{n_layers}"]
    return [part.strip() for part in layers.split(",")]
