"""Fit one probe: vectors and gold values in, components in the vectors' own coordinates out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.batches import (
    Batch,
    Pool,
    fixed_batches,
    mixed_batches,
    order_by_length,
    pack,
    random_batches,
)
from structprobe.probe.examples import Examples
from structprobe.probe.geometry import depth_loss, distance_loss
from structprobe.probe.recipes import Published
from structprobe.probe.settings import Settings
from structprobe.probe.training import Cosine, Plateau, Schedule, train
from structprobe.probe.whitening import coordinates, whitening

DEV_BATCH_SIZE = 64


def fit_components(
    train_set: Examples,
    dev_set: Examples,
    settings: Settings,
    generator: np.random.Generator,
    *,
    pairs: bool,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Find the components of a distance or a depth probe.

    Parameters
    ----------
    train_set, dev_set : Examples
        What to learn from, and what to choose the best components by.
    settings : Settings
        The recipe and its numbers.
    generator : numpy.random.Generator
        Draws the start and the batches.
    pairs : bool
        True for distances, False for depths.

    Returns
    -------
    components : ndarray of float32, shape (rank, hidden_size)
        The components with the lowest dev loss, for raw vectors.
    history : dict
        Plain values: ``steps_per_epoch``, ``steps``, ``best_step``, ``best_epoch``,
        ``best_dev_loss``, and ``evaluations``, one dict each, as `Trained.history`.

    Raises
    ------
    ProbeError
        The loss stopped being finite.
    """
    recipe, lengths = settings.recipe, train_set.words.lengths
    batch_size = settings.batch_size or recipe.batch_size
    epoch: Callable[[], Iterable[Batch]]
    schedule: Schedule
    if isinstance(recipe, Published):
        basis = None
        pool = _pool(train_set, basis, settings.device, pairs=pairs)
        epoch = partial(random_batches, pool, batch_size, generator)
        steps_per_epoch = -(-len(lengths) // batch_size)
        rate = settings.learning_rate or recipe.learning_rate
        schedule = Plateau(recipe, rate, steps_per_epoch, settings.max_steps)
        spread = recipe.start
    else:
        basis = whitening(train_set.words, centred=pairs)
        if pairs:  # one-word sentences have no gradient, and would only thin out the steps
            train_set = train_set.take(np.flatnonzero(lengths > 1))
        parts = mixed_batches(train_set.words.lengths, batch_size, generator)
        pool = _pool(train_set.take(np.concatenate(parts)), basis, settings.device, pairs=pairs)
        epoch = partial(_shuffled, fixed_batches(pool, [*map(len, parts)]), generator)
        steps_per_epoch = len(parts)
        scale = (settings.rank * len(basis)) ** -0.5
        relative_rate = recipe.distance_rate if pairs else recipe.depth_rate
        rate = settings.learning_rate or relative_rate * scale
        schedule = Cosine(recipe, rate, settings.max_steps or recipe.max_steps)
        spread = recipe.start * scale
    dev_set = dev_set.take(order_by_length(dev_set.words.lengths))
    dev_pool = _pool(dev_set, basis, settings.device, pairs=pairs)
    shape = (settings.rank, pool.vectors.shape[-1])
    start = torch.from_numpy(generator.uniform(-spread, spread, shape)).float()
    max_steps, on_step = schedule.max_steps, settings.on_step
    found = train(
        distance_loss if pairs else depth_loss,
        start.to(settings.device),
        epoch,
        fixed_batches(dev_pool, _sizes(len(dev_set.words), DEV_BATCH_SIZE)),
        schedule,
        None if on_step is None else lambda step: on_step(step, max_steps),
    )
    components = found.components.cpu()
    if basis is not None:
        components = (components.double() @ basis).float()
    return components.numpy(), _history(found.history, steps_per_epoch)


def _pool(examples: Examples, basis: Tensor | None, device: torch.device, *, pairs: bool) -> Pool:
    """Lay sentences out in the coordinates to train in."""
    vectors = coordinates(examples.words, basis, centred=pairs)
    return Pool(vectors.to(device), examples.words.lengths, pack(examples.gold).to(device), pairs)


def _shuffled(batches: list[Batch], generator: np.random.Generator) -> list[Batch]:
    """Put batches into another order."""
    return [batches[index] for index in generator.permutation(len(batches))]


def _sizes(total: int, size: int) -> list[int]:
    """Cut a number of sentences into parts of one size, and a rest."""
    return [min(size, total - start) for start in range(0, total, size)]


def _history(evaluations: list[dict[str, float]], steps_per_epoch: int) -> dict[str, Any]:
    """Put the course of a training run into plain values."""
    best = min(evaluations, key=lambda entry: entry["dev_loss"])
    return {
        "steps_per_epoch": steps_per_epoch,
        "steps": evaluations[-1]["step"],
        "best_step": best["step"],
        "best_epoch": best["step"] / steps_per_epoch,
        "best_dev_loss": best["dev_loss"],
        "evaluations": evaluations,
    }
