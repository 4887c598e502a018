"""Layers as people ask for them: one, several, a range, or all."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

from structprobe.errors import EncoderError


def pick_layers(layers: Any, n_layers: int) -> list[int]:
    """Make layers of what was given, ascending.

    Parameters
    ----------
    layers : int or iterable of int or range, or None
        The layers wanted; all where None.
    n_layers : int
        The highest layer.

    Returns
    -------
    list of int
        Each layer once.

    Raises
    ------
    EncoderError
        If none is asked for, or one that there is not.

    Examples
    --------
    >>> pick_layers([range(2, 4), 0, 3], 12)
    [0, 2, 3]
    """
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
