"""The one place where the benchmark reaches inside the library: an epoch, a fit of one probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.plan import RANK
from structprobe.encoder.vectors import WordVectors
from structprobe.probe.batches import Pool, fixed_batches, mixed_batches, pack
from structprobe.probe.examples import Examples, read_examples
from structprobe.probe.fitting import fit_components
from structprobe.probe.geometry import distance_loss
from structprobe.probe.recipes import Whitened
from structprobe.probe.settings import read_settings
from structprobe.probe.training import Adam
from structprobe.probe.whitening import coordinates

# What `StructuralProbe` takes to stream its vectors from disk.
STREAMED: dict[str, Any] = {}


@dataclass(frozen=True)
class Epoch:
    """One epoch of a distance probe's training.

    Attributes
    ----------
    run : callable
        Trains one epoch.
    floor : callable
        The two bare products of an epoch, all words at once, float32.
    """

    run: Callable[[], None]
    floor: Callable[[], None]


def distance_epoch(X: WordVectors | Sequence[Any], y: Sequence[Any], rank: int = RANK) -> Epoch:
    """Make an epoch of one layer's distance probe, batches composed as the default has them."""
    examples = read_examples(X, y, "X", "y")["distance"]
    lengths = examples.words.lengths
    parts = mixed_batches(lengths, Whitened().batch_size, np.random.default_rng(0))
    ordered = examples.take(np.concatenate(parts))
    values = coordinates(ordered.words, None, centred=True)  # (n_words, hidden_size)
    pool = Pool(values, ordered.words.lengths, pack(ordered.gold), pairs=True)
    batches = fixed_batches(pool, [*map(len, parts)])
    components = torch.empty(rank, values.shape[1]).uniform_(-0.05, 0.05)
    gradient, adam = torch.empty_like(components), Adam(components)

    def run() -> None:
        for batch in batches:
            distance_loss(components, batch, gradient)
            adam.step(components, gradient, 1e-4)

    return Epoch(run, bare_products(values, rank))


def bare_products(values: Tensor, rank: int = RANK) -> Callable[[], None]:
    """Make a call of H Bᵀ and its transpose with the gradient, all words (n_words, hidden_size).

    It writes into memory that is there already, so that it is products alone.
    """
    components = torch.randn(rank, values.shape[1])
    gradient = torch.empty_like(components)
    held: list[Tensor] = []

    def run() -> None:
        if not held:
            held.append(values.new_empty(len(values), rank))
        (projected,) = held
        torch.matmul(values, components.T, out=projected)  # (n_words, rank)
        torch.matmul(projected.T, values, out=gradient)  # (rank, hidden_size)

    return run


def fit_distance(
    train: tuple[Any, Any], dev: tuple[Any, Any], recipe: str = "whitened", kind: str = "distance"
) -> dict[str, Any]:
    """Fit one probe of one layer to its own stop, and give its history."""
    sets: list[Examples] = [read_examples(*pair, "X", "y")[kind] for pair in (train, dev)]
    parameters = {
        **dict.fromkeys(("rank", "max_steps", "batch_size", "learning_rate")),
        "recipe": recipe,
        "device": "cpu",
    }
    settings = read_settings(parameters, sets[0].words.hidden_size)
    generator = np.random.default_rng(0)
    _, history = fit_components(sets[0], sets[1], settings, generator, pairs=kind == "distance")
    return history
