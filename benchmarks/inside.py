"""The one place where the benchmark reaches inside the library: the fit of one probe, watched."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.clock import Seconds, Stopwatch, held_memory, peak_memory, restart_peak, timed
from benchmarks.plan import RANK
from structprobe.encoder.vectors import WordVectors
from structprobe.probe.examples import read_examples
from structprobe.probe.fitting import fit_components
from structprobe.probe.settings import read_settings

Vectors = WordVectors | Sequence[Any]

# What `StructuralProbe` takes to stream its vectors from disk.
STREAMED: dict[str, Any] = {}


@dataclass(frozen=True)
class Epochs:
    """Epochs of a distance probe's training, and the products they cannot do without.

    Attributes
    ----------
    ours, floor : Seconds
        Of the epoch whose ratio is the median one, and of the bare products right after it.
    peak : float
        Most memory that the process held before the first bare products, in MB.
    """

    ours: Seconds
    floor: Seconds
    peak: float


def distance_epochs(X: Vectors, y: Sequence[Any], *, repeats: int = 3, rank: int = RANK) -> Epochs:
    """Train some epochs of one layer's distance probe, and time each; the first is to get warm.

    The bare products are done between the epochs, so that both see the same machine.
    """
    pair = (X, y)
    tiny = made_of_two(X, y)
    steps = fit(pair, tiny, rank=rank, max_steps=1)["steps_per_epoch"]
    n_words = sum(map(len, y))
    floor = bare_products(n_words, X[0].shape[1], rank)
    watch, pairs, peaks = Stopwatch(), [], []

    def on_step(step: int, _: int) -> None:
        if step % steps:
            return
        ours = watch.read()
        if step == steps:
            peaks.append(peak_memory())
            floor()
        else:
            pairs.append((ours, timed(floor, repeats=1, warm_up=False)))
        watch.restart()

    fit(pair, tiny, rank=rank, max_steps=steps * (repeats + 1), on_step=on_step)
    ours, bare = sorted(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)[len(pairs) // 2]
    return Epochs(ours, bare, peaks[0])


def made_of_two(X: Vectors, y: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Find one sentence of two or more words, for a dev set that costs nothing."""
    index = next(i for i, one in enumerate(y) if len(one) > 1)
    return [X[index]], [y[index]]


def step_memory(X: Vectors, y: Sequence[Any]) -> float:
    """Tell how far a step of training lifts the memory above what is held between steps, in MB."""
    before, rises = [0.0], []

    def on_step(step: int, _: int) -> None:
        if step > 1:
            rises.append(peak_memory() - before[0])
        restart_peak()
        before[0] = held_memory()

    fit((X, y), made_of_two(X, y), max_steps=4, on_step=on_step)
    return statistics.median(rises)


def bare_products(n_words: int, hidden_size: int, rank: int = RANK) -> Callable[[], None]:
    """Make a call of H Bᵀ and its transpose with the gradient, all words at once, float32.

    It writes into memory that is there already, so that it is products alone.
    """
    held: list[torch.Tensor] = []

    def run() -> None:
        if not held:
            shapes = (n_words, hidden_size), (rank, hidden_size), (n_words, rank)
            held.extend(torch.randn(shape) for shape in (*shapes, shapes[1]))
        values, components, projected, gradient = held
        torch.matmul(values, components.T, out=projected)  # (n_words, rank)
        torch.matmul(projected.T, values, out=gradient)  # (rank, hidden_size)

    return run


def fit(
    train: tuple[Vectors, Any],
    dev: tuple[Vectors, Any],
    *,
    kind: str = "distance",
    recipe: str = "whitened",
    rank: int | None = RANK,
    max_steps: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Fit a distance or a depth probe of one layer, and give its history."""
    train_set, dev_set = (read_examples(*pair, "X", "y")[kind] for pair in (train, dev))
    parameters = {
        **dict.fromkeys(("batch_size", "learning_rate")),
        "rank": rank,
        "recipe": recipe,
        "max_steps": max_steps,
        "device": "cpu",
    }
    settings = replace(read_settings(parameters, train_set.words.hidden_size), on_step=on_step)
    generator = np.random.default_rng(0)
    _, history = fit_components(train_set, dev_set, settings, generator, pairs=kind == "distance")
    return history
