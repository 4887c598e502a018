"""How much memory the vectors of a fit take, and when they are streamed from disk instead."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import torch

from structprobe.errors import ProbeError
from structprobe.probe.examples import Examples
from structprobe.probe.layout import Layout
from structprobe.probe.settings import Settings


def laid_out_bytes(n_words: int, n_dev_words: int, hidden_size: int, products: torch.dtype) -> int:
    """Count the bytes of one layer's vectors as they are laid out for training.

    Parameters
    ----------
    n_words, n_dev_words : int
        Words to learn from, and to choose by.
    hidden_size : int
        Width of a vector.
    products : torch.dtype
        The type of those to learn from; the others are float32.

    Returns
    -------
    int
        Bytes.
    """
    return hidden_size * (n_words * products.itemsize + n_dev_words * torch.float32.itemsize)


def bytes_of_layer(
    layer: Hashable, train_set: Examples, dev_set: Examples | None, settings: Settings
) -> int:
    """Count the bytes of one layer of some sentences.

    Parameters
    ----------
    layer : hashable
        The layer.
    train_set, dev_set : Examples
        What to learn from, and what to choose by, if that is known yet.
    settings : Settings
        Tells the type of the vectors.

    Returns
    -------
    int
        Bytes.
    """
    n_dev_words = 0 if dev_set is None else int(dev_set.lengths.sum())
    width = train_set.layers[layer].hidden_size
    return laid_out_bytes(int(train_set.lengths.sum()), n_dev_words, width, settings.products)


def streams(
    layers: Sequence[Hashable], train_set: Examples, dev_set: Examples, settings: Settings
) -> bool:
    """Tell whether vectors are streamed: those of a lone layer that does not fit into memory.

    Parameters
    ----------
    layers : sequence of hashable
        The layers that are trained at once.
    train_set, dev_set : Examples
        What to learn from, and what to choose by.
    settings : Settings
        Tells the room.

    Returns
    -------
    bool
        Whether they are.
    """
    size = bytes_of_layer(layers[0], train_set, dev_set, settings)
    return len(layers) == 1 and size > settings.memory_gb * 1e9


def bytes_held(
    ranks: Mapping[Hashable, Sequence[int]],
    train_set: Examples,
    dev_set: Examples,
    layouts: tuple[Layout, Layout],
    settings: Settings,
) -> int:
    """Count the bytes of vectors that a fit holds: all, or of what is streamed the largest batches.

    Parameters
    ----------
    ranks : mapping of hashable to sequence of int
        The ranks of the probes on each layer; each reads for itself.
    train_set, dev_set : Examples
        What to learn from, and what to choose by.
    layouts : tuple of Layout
        Where the rows of both lie.
    settings : Settings
        Tells the type of the vectors and the room.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ProbeError
        The largest batches alone do not fit; names a budget that will do.
    """
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
