"""Which layers of a model are meant."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

from structprobe.errors import EncoderError


def pick_layers(layers: Any, n_layers: int) -> list[int]:
    """Make layers of what was given."""
    everything = range(n_layers + 1)
    if layers is None:
        return list(everything)
    given = [layers] if isinstance(layers, SupportsIndex) else list(layers)
    picked: set[int] = set()
    for one in given:
        picked.update(one if isinstance(one, range) else [operator.index(one)])
    for layer in sorted(picked):
        if layer not in everything:
            hint = "0 is the embedding output"
            raise EncoderError(f"no layer {layer}, only 0 to {n_layers}", hint=hint)
    if not picked:
        raise EncoderError("no layers asked for", hint=f"choose from 0 to {n_layers}")
    return sorted(picked)
