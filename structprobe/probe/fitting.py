"""Fit probes of one kind together: vectors of some layers in, components for each out.

Layers, and ranks on each, that share their sentences and their seed share all batches. Off the
processor all layers of a rank are one product; on it, one layer at a time is handed in, so that
what a step needs stays in a core's caches. Either way a probe is found as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
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
from structprobe.probe.geometry import DistanceLoss, depth_loss
from structprobe.probe.recipes import Published
from structprobe.probe.settings import Settings
from structprobe.probe.training import Cosine, Loss, Plateau, Problem, Schedule, Stack, train
from structprobe.probe.tree_likelihood import TreeLoss
from structprobe.probe.whitening import Moments, lay_out, second_moments, whitening
from structprobe.probe.words import Words

DEV_BATCH_SIZE = 64

DISTANCE_LOSSES: dict[str, Callable[[], Loss]] = {"absolute": DistanceLoss, "tree": TreeLoss}

OnStep = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a fit gave.

    Attributes
    ----------
    components : ndarray of float32, shape (rank, hidden_size)
        The components with the lowest dev loss, for raw vectors.
    history : dict
        Plain values: ``steps_per_epoch``, ``steps``, ``best_step``, ``best_epoch``,
        ``best_dev_loss``, and ``evaluations``, one dict each, as `Problem.history`.
    """

    components: NDArray[np.float32]
    history: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """Batches for all probes of one kind and seed, made once.

    Attributes
    ----------
    begin : callable
        Begins anew, whoever else is under way; gives a function that gives the batches of one
        more epoch.
    steps_per_epoch : int
        Batches in an epoch.
    max_steps : int
        Steps after which training ends in any case.
    rows, dev_rows : ndarray of int
        The row for each word of the training and of the dev set, or -1.
    n_rows, n_dev_rows : int
        Rows in all.
    dev : list of batches
        The dev set.
    """

    begin: Callable[[], Callable[[], Iterable[Batch]]]
    steps_per_epoch: int
    max_steps: int
    rows: NDArray[np.int64]
    n_rows: int
    dev: list[Batch]
    dev_rows: NDArray[np.int64]
    n_dev_rows: int


def fit_kind(
    kind: str,
    course: Course,
    train_set: Examples,
    dev_set: Examples,
    ranks: Mapping[Hashable, Sequence[int]],
    moments: Mapping[Hashable, Moments],
    settings: Settings,
    seed: SeedSequence,
    on_step: OnStep | None = None,
) -> dict[tuple[Hashable, int], Found]:
    """Find the components of the distance or the depth probes.

    Parameters
    ----------
    kind : {"distance", "depth"}
        What is predicted.
    course : Course
        The batches, of `course_of`.
    train_set, dev_set : Examples
        What to learn from, and what to choose the best components by.
    ranks : mapping of hashable to sequence of int
        The ranks of the probes on each layer of `train_set` that takes part.
    moments : mapping of hashable to Moments
        Of the training vectors of each of these layers, where the recipe whitens.
    settings : Settings
        The recipe and its numbers; its rank is not looked at.
    seed : numpy.random.SeedSequence
        Draws the start of each probe.
    on_step : callable, optional
        Called after each step with its number.

    Returns
    -------
    dict of Found
        By layer and rank.

    Raises
    ------
    ProbeError
        The loss stopped being finite.
    """
    pairs = kind == "distance"
    bases: dict[Hashable, Tensor | None] = {
        layer: whitening(moments[layer], centred=pairs) if moments else None for layer in ranks
    }
    train_words = [train_set.layers[layer] for layer in ranks]
    dev_words = [dev_set.layers[layer] for layer in ranks]
    lay = partial(_lay_out, bases=[*bases.values()], device=settings.device, centred=pairs)
    vectors = lay(train_words, course.rows, course.n_rows, dtype=settings.products)
    dev_vectors = lay(dev_words, course.dev_rows, course.n_dev_rows, dtype=torch.float32)

    problems = {}
    for layer, own_ranks in ranks.items():
        width, basis = train_set.layers[layer].hidden_size, bases[layer]
        for rank in own_ranks:
            n_kept = width if basis is None else len(basis)
            schedule, spread = _schedule(settings, course, rank, n_kept, pairs)
            start = torch.zeros(rank, width)
            drawn = np.random.default_rng(seed).uniform(-spread, spread, (rank, n_kept))
            start[:, :n_kept] = torch.from_numpy(drawn)
            problems[layer, rank] = Problem(start.to(settings.device), schedule)
    loss = DISTANCE_LOSSES[settings.loss] if pairs else lambda: depth_loss
    stacks = _stacks(loss, problems, [*ranks], vectors, dev_vectors)
    train(stacks, course.begin(), course.dev, on_step)
    return {
        key: Found(
            _raw_components(problem.components, bases[key[0]]),
            _history(problem.history, course.steps_per_epoch),
        )
        for key, problem in problems.items()
    }


def moments_of(
    examples: Examples, layers: Iterable[Hashable], settings: Settings
) -> dict[Hashable, Moments]:
    """Sum up what the recipe must know of the vectors; it may be nothing.

    Parameters
    ----------
    examples : Examples
        What to learn from.
    layers : iterable of hashable
        Which layers.
    settings : Settings
        Recipe and device.

    Returns
    -------
    dict of Moments
        By layer; empty where the recipe does not whiten.
    """
    if isinstance(settings.recipe, Published):
        return {}
    device = settings.device if settings.device.type == "cuda" else None
    return {layer: second_moments(examples.layers[layer], device) for layer in layers}


def course_of(
    kind: str, train_set: Examples, dev_set: Examples, settings: Settings, seed: SeedSequence
) -> Course:
    """Compose the batches.

    Parameters
    ----------
    kind : {"distance", "depth"}
        What is predicted.
    train_set, dev_set : Examples
        What to learn from, and what to choose by.
    settings : Settings
        The recipe and its numbers.
    seed : numpy.random.SeedSequence
        Draws the batches.

    Returns
    -------
    Course
        The batches.
    """
    generator = np.random.default_rng(seed)
    pairs, recipe, lengths = kind == "distance", settings.recipe, train_set.lengths
    batch_size = settings.batch_size or recipe.batch_size
    pool = Pool(lengths, pack(train_set.gold[kind]).to(settings.device), pairs)
    epoch: Callable[[np.random.Generator], Iterable[Batch]]
    if isinstance(recipe, Published):
        epoch = partial(random_batches, pool, batch_size)
        steps_per_epoch = -(-len(lengths) // batch_size)
        max_steps = recipe.max_epochs * steps_per_epoch
        rows, n_rows = np.arange(pool.n_words), pool.n_words + 1
    else:
        # One-word sentences have no distances, and would only thin out the steps.
        kept = np.flatnonzero(lengths > 1) if pairs else np.arange(len(lengths))
        parts = [kept[part] for part in mixed_batches(lengths[kept], batch_size, generator)]
        batches, words = fixed_batches(pool, parts)
        epoch, steps_per_epoch = partial(_shuffled, batches), len(batches)
        max_steps = recipe.max_steps
        rows, n_rows = _rows(words, pool.n_words), len(words)
    dev_pool = Pool(dev_set.lengths, pack(dev_set.gold[kind]).to(settings.device), pairs)
    order = order_by_length(dev_set.lengths)
    cuts = range(DEV_BATCH_SIZE, len(order), DEV_BATCH_SIZE)
    dev, dev_words = fixed_batches(dev_pool, np.split(order, cuts))
    dev_rows = _rows(dev_words, dev_pool.n_words)
    return Course(
        begin=lambda: partial(epoch, deepcopy(generator)),
        steps_per_epoch=steps_per_epoch,
        max_steps=settings.max_steps or max_steps,
        rows=rows,
        n_rows=n_rows,
        dev=dev,
        dev_rows=dev_rows,
        n_dev_rows=len(dev_words),
    )


def _schedule(
    settings: Settings, course: Course, rank: int, n_coordinates: int, pairs: bool
) -> tuple[Schedule, float]:
    """Give a probe's schedule, and how far from zero it starts."""
    recipe, rate = settings.recipe, settings.learning_rate
    if isinstance(recipe, Published):
        rate = rate or recipe.learning_rate
        return Plateau(recipe, rate, course.steps_per_epoch, course.max_steps), recipe.start
    scale = (rank * n_coordinates) ** -0.5
    rate = rate or scale * (recipe.distance_rate if pairs else recipe.depth_rate)
    return Cosine(recipe, rate, course.max_steps), recipe.start * scale


def _lay_out(
    layers: Sequence[Words],
    rows: NDArray[np.int64],
    n_rows: int,
    *,
    bases: Sequence[Tensor | None],
    device: torch.device,
    dtype: torch.dtype,
    centred: bool,
) -> Tensor:
    """Lay out the vectors of all layers: (n_layers, n_rows, hidden_size); all of one width."""
    width = layers[0].hidden_size
    out = torch.zeros(len(layers), n_rows, width, device=device, dtype=dtype)
    for words, basis, own in zip(layers, bases, out, strict=True):
        lay_out(words, basis, own, rows, centred=centred)
    return out


def _stacks(
    loss: Callable[[], Loss],
    problems: Mapping[tuple[Hashable, int], Problem],
    layers: Sequence[Hashable],
    vectors: Tensor,
    dev_vectors: Tensor,
) -> list[Stack]:
    """Put problems together that are solved in one go: those of one rank on several layers."""
    if len(layers) == 1:
        return [
            Stack(loss(), [problem], vectors[0], dev_vectors[0]) for problem in problems.values()
        ]
    place = {layer: index for index, layer in enumerate(layers)}
    stacks = []
    for rank in {rank: None for _, rank in problems}:
        own = {layer: problem for (layer, other), problem in problems.items() if other == rank}
        if len(own) == len(layers):
            stacks.append(Stack(loss(), [*own.values()], vectors, dev_vectors))
        else:
            index = torch.tensor([place[layer] for layer in own], device=vectors.device)
            stacks.append(Stack(loss(), [*own.values()], vectors[index], dev_vectors[index]))
    return stacks


def _rows(words: NDArray[np.int64], n_words: int) -> NDArray[np.int64]:
    """From the word of each row, the row of each word; -1 for words without one."""
    rows = np.full(n_words + 1, -1)
    rows[words] = np.arange(len(words))
    return rows[:-1]


def _raw_components(components: Tensor, basis: Tensor | None) -> NDArray[np.float32]:
    """Components for raw vectors."""
    components = components.cpu()
    if basis is not None:
        basis = basis.cpu()
        components = (components[:, : len(basis)].double() @ basis).float()
    return components.numpy()


def _shuffled(batches: list[Batch], generator: np.random.Generator) -> list[Batch]:
    """Put batches into another order."""
    return [batches[index] for index in generator.permutation(len(batches))]


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
