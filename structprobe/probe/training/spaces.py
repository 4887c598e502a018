"""The coordinates of each layer in which matrices are trained, and vectors laid out in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from structprobe.probe.data.examples import RELATION, Examples
from structprobe.probe.data.whitening import (
    Moments,
    SharedMoments,
    second_moments,
    tree_axes,
    whitening,
)
from structprobe.probe.training.recipes import Published, TreeAxes
from structprobe.probe.training.settings import Settings
from structprobe.probe.types import Layer


@dataclass(frozen=True, slots=True)
class Space:
    """The coordinates in which the matrices of a layer are trained."""

    basis: Tensor | None  # (n_kept, hidden_size): the map to them; None for the raw vectors
    closeness: Tensor | None = None  # (n_kept,): as by `tree_axes`
    origin: Tensor | None = None  # (hidden_size,): the point of the vectors that becomes 0


def find_space(kind: str, moments: Moments | None, *, centred: bool) -> Space:
    """Find the coordinates that the recipe trains a kind of matrix in."""
    if moments is None:
        return Space(None)
    if kind == RELATION:
        return Space(whitening(moments, centred="mean"), origin=moments.mean)
    if moments.neighbours is not None and kind == "distance":
        return Space(*tree_axes(moments))
    return Space(whitening(moments, centred=centred))


def moments_of(
    examples: Examples,
    layers: Iterable[Layer],
    settings: Settings,
    shared: SharedMoments | None = None,
) -> dict[Layer, Moments]:
    """Compute the second moments that the recipe needs, if any, and are not shared."""
    if isinstance(settings.recipe, Published):
        return {}
    known = SharedMoments(0) if shared is None else shared
    device = settings.device if settings.device.type == "cuda" else None
    trees = examples.gold["distance"] if isinstance(settings.recipe, TreeAxes) else None
    found = {}
    for layer in layers:
        words = examples.layers[layer]
        found[layer] = second_moments(words, device, trees, known.of.get(layer))
        known.keep(layer, found[layer])
    return found
