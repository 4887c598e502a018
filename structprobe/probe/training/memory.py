"""How much memory the vectors of a fit take, and when they are streamed from disk instead."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import torch

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import Examples
from structprobe.probe.data.layout import Layout
from structprobe.probe.training.settings import Settings


def laid_out_bytes(n_words: int, n_dev_words: int, hidden_size: int, products: torch.dtype) -> int:
    """Count the bytes of one layer's vectors as they are laid out for training."""
    return hidden_size * (n_words * products.itemsize + n_dev_words * torch.float32.itemsize)


def bytes_of_layer(
    layer: Hashable, train_set: Examples, dev_set: Examples | None, settings: Settings
) -> int:
    """Count the bytes of one layer of some sentences."""
    n_dev_words = 0 if dev_set is None else int(dev_set.lengths.sum())
    width = train_set.layers[layer].hidden_size
    return laid_out_bytes(int(train_set.lengths.sum()), n_dev_words, width, settings.products)


def streams(
    layers: Sequence[Hashable], train_set: Examples, dev_set: Examples, settings: Settings
) -> bool:
    """Tell whether vectors are streamed: those of a lone layer that does not fit into memory."""
    size = bytes_of_layer(layers[0], train_set, dev_set, settings)
    return len(layers) == 1 and size > settings.memory_gb * 1e9


def bytes_held(
    ranks: Mapping[Hashable, Sequence[int]],
    train_set: Examples,
    dev_set: Examples,
    layouts: tuple[Layout, Layout],
    settings: Settings,
) -> int:
    """Count the bytes of vectors that a fit holds: all, or the largest batches when streamed."""
    layers = [*ranks]
    if not streams(layers, train_set, dev_set, settings):
        return sum(bytes_of_layer(layer, train_set, dev_set, settings) for layer in layers)
    width = train_set.layers[layers[0]].hidden_size
    most, dev_most = (layout.most_rows for layout in layouts)
    size = len(ranks[layers[0]]) * laid_out_bytes(most, dev_most, width, settings.products)
    if size > settings.memory_gb * 1e9:
        raise ProbeError(
            f"memory_gb {settings.memory_gb:g} is too little: the vectors of the largest batches"
            f" alone take {size:,} bytes",
            hint=f"give {math.ceil(size / 1e4) / 1e5:g} or more",
        )
    return size
