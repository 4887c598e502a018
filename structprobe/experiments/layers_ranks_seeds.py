"""Read and check the layers, ranks, seeds and samples that a user asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Integral
from typing import Any

from structprobe.errors import ProbeError


def parse_layers(
    layers: str | Iterable[int], n_layers: int, available: Iterable[int] | None = None
) -> tuple[int, ...]:
    """Read layers: "all" (of those that have the site), numbers, or ranges such as "0,2-4"."""
    if available is not None and isinstance(layers, str) and layers.strip() == "all":
        layers = available
    hint = f"the model has layers 0 to {n_layers} (0 = embedding output)"
    if isinstance(layers, str):
        hint += f"; use 'all', or a list such as '0,1-{n_layers}'"
        layers = f"0-{n_layers}" if layers.strip() == "all" else layers
    wanted: set[int] = set()
    for part in layers.split(",") if isinstance(layers, str) else map(str, _listed(layers)):
        part = part.strip()
        match = re.fullmatch(r"(-?\d+)(?:-(\d+))?", part)
        if not match:
            raise ProbeError(f"{part!r} is not a layer or a range of layers", hint=hint)
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ProbeError(f"the range of layers {part!r} is reversed", hint=hint)
        if first < 0 or last > n_layers:
            outside = first if first < 0 else last
            raise ProbeError(f"layer {outside} is out of range", hint=hint)
        wanted.update(range(first, last + 1))
    if not wanted:
        raise ProbeError("no layer was given", hint=hint)
    return tuple(sorted(wanted))


def check_ranks(ranks: Iterable[int | None], hidden_size: int) -> tuple[int, ...]:
    """Check ranks against the hidden size of a model."""
    found = tuple(dict.fromkeys(hidden_size if rank is None else rank for rank in _listed(ranks)))
    for rank in found:
        if not (_is_whole(rank) and 1 <= rank <= hidden_size):
            hint = f"choose from 1 to {hidden_size} (hidden size)"
            raise ProbeError(f"rank {rank!r} is out of range", hint=hint)
    if not found:
        raise ProbeError("no rank was given", hint=f"choose from 1 to {hidden_size}")
    return found


def check_seeds(seeds: Iterable[int | None]) -> tuple[int | None, ...]:
    """Check random states, before any work is done."""
    found = tuple(dict.fromkeys(_listed(seeds)))
    for seed in found:
        if seed is not None and not (_is_whole(seed) and seed >= 0):
            raise ProbeError(f"seed {seed!r} is out of range", hint="use integers, 0 or more")
    if not found:
        raise ProbeError("no seed was given", hint="use integers, 0 or more")
    return found


def check_samples(sizes: Iterable[int | None]) -> tuple[int | None, ...]:
    """Check numbers of training sentences; None stands for all."""
    found = tuple(dict.fromkeys(_listed(sizes)))
    hint = "use integers, 1 or more, and None for all"
    for size in found:
        if size is not None and not (_is_whole(size) and size >= 1):
            raise ProbeError(f"train_sentences {size!r} is out of range", hint=hint)
    if not found:
        raise ProbeError("train_sentences is empty", hint=hint)
    return found


def _listed(values: Any) -> Iterable[Any]:
    """Take one value for a list of one."""
    return values if isinstance(values, Iterable) else [values]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
