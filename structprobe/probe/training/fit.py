"""Fit probes of one kind together, on one or more layers.

Layers and ranks that share their sentences and seed share all batches. On an accelerator, all
layers of a rank are one matrix product; on the CPU, layers come one at a time, so that the data of
a step stays in a core's caches. Either way, each probe is the same as if it were fitted alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from structprobe.probe.data.batches import (
    Batch,
    FixedBatches,
    Layout,
    Pool,
    mixed_batches,
    order_by_length,
    random_batches,
    word_order,
)
from structprobe.probe.data.examples import Examples, Split
from structprobe.probe.data.whitening import Moments, lay_out, second_moments, whitening
from structprobe.probe.losses.geometry import DistanceLoss, depth_loss
from structprobe.probe.losses.tree_likelihood import TreeLoss
from structprobe.probe.training.loop import Cosine, Loss, Plateau, Problem, Schedule, Stack, train
from structprobe.probe.training.recipes import Published
from structprobe.probe.training.settings import Settings
from structprobe.probe.training.streaming import ReadAhead, Streamed, spooled, streams
from structprobe.probe.types import Layer

DEV_BATCH_SIZE = 64

DISTANCE_LOSSES: dict[str, Callable[[], Loss]] = {"absolute": DistanceLoss, "tree": TreeLoss}

OnStep = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FittedMatrix:
    """A fitted matrix, for raw vectors, and its training history."""

    components: NDArray[np.float32]  # (rank, hidden_size)
    history: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The batches of all probes of one kind and seed."""

    begin: Callable[[], Callable[[], Iterable[Batch]]]  # Independent of other runs under way
    steps_per_epoch: int  # Batches in an epoch
    max_steps: int  # Steps after which training ends in any case
    layout: Layout  # Of the training set
    dev: FixedBatches


@dataclass(frozen=True, slots=True)
class Task:
    """What a kind of probe is trained on, and how: the same for all layers and ranks."""

    kind: str  # One of `KINDS`
    split: Split
    settings: Settings
    batches: BatchPlan
    seed: SeedSequence  # Of the initial components

    @property
    def pairs(self) -> bool:
        """Whether it is trained on word pairs rather than words."""
        return self.kind == "distance"

    def new_loss(self) -> Loss:
        """Make the loss; one that reuses memory serves one thread only."""
        return DISTANCE_LOSSES[self.settings.loss]() if self.pairs else depth_loss


def make_task(
    kind: str,
    split: Split,
    settings: Settings,
    seeds: Sequence[SeedSequence],
    *,
    kept: bool = True,
) -> Task:
    """Compose the batches with the first seed; the second is for the initial components."""
    batches_seed, start_seed = seeds
    batches = plan_batches(kind, split, settings, batches_seed, kept=kept)
    return Task(kind, split, settings, batches, start_seed)


def fit_kind(
    task: Task,
    ranks: Mapping[Layer, Sequence[int]],
    moments: Mapping[Layer, Moments],
    on_step: OnStep | None = None,
) -> dict[tuple[Layer, int], FittedMatrix]:
    """Find the matrices of one kind, of all ranks on each layer."""
    train_set, dev_set, settings = task.split.train, task.split.dev, task.settings
    bases: dict[Layer, Tensor | None] = {
        layer: whitening(moments[layer], centred=task.pairs) if moments else None for layer in ranks
    }
    problems = {}
    for layer, own_ranks in ranks.items():
        width, basis = train_set.layers[layer].hidden_size, bases[layer]
        for rank in own_ranks:
            n_kept = width if basis is None else len(basis)
            problems[layer, rank] = new_problem(task, rank, n_kept, width)
    if streams([*ranks], train_set, dev_set, settings):
        (layer,) = ranks
        _train_from_disk(task, [*problems.values()], layer, bases[layer], on_step)
    else:
        lay = partial(
            lay_out_layers, bases=bases, width=width, device=settings.device, centred=task.pairs
        )
        vectors = lay(train_set, task.batches.layout, dtype=settings.products)
        dev_vectors = lay(dev_set, task.batches.dev.layout, dtype=torch.float32)
        stacks = _stacks(task.new_loss, problems, [*ranks], vectors, dev_vectors)
        train(stacks, task.batches.begin(), task.batches.dev, on_step)
    return {
        key: FittedMatrix(
            _raw_components(problem.components, bases[key[0]]),
            _history(problem, task.batches.steps_per_epoch),
        )
        for key, problem in problems.items()
    }


def moments_of(
    examples: Examples, layers: Iterable[Layer], settings: Settings
) -> dict[Layer, Moments]:
    """Compute the second moments that the recipe needs, if any."""
    if isinstance(settings.recipe, Published):
        return {}
    device = settings.device if settings.device.type == "cuda" else None
    return {layer: second_moments(examples.layers[layer], device) for layer in layers}


def plan_batches(
    kind: str, split: Split, settings: Settings, seed: SeedSequence, *, kept: bool = True
) -> BatchPlan:
    """Compose the batches."""
    train_set, dev_set = split.train, split.dev
    generator = np.random.default_rng(seed)
    pairs, recipe, lengths = kind == "distance", settings.recipe, train_set.lengths
    batch_size = settings.batch_size or recipe.batch_size
    pool = _pool(train_set, kind, settings.device)
    epoch: Callable[[np.random.Generator], Iterable[Batch]]
    if isinstance(recipe, Published):
        epoch = partial(random_batches, pool, batch_size)
        steps_per_epoch = -(-len(lengths) // batch_size)
        max_steps = recipe.max_epochs * steps_per_epoch
        layout = word_order(pool, batch_size)
    else:
        # One-word sentences have no distances, and would only thin out the steps.
        chosen = np.flatnonzero(lengths > 1) if pairs else np.arange(len(lengths))
        parts = [chosen[part] for part in mixed_batches(lengths[chosen], batch_size, generator)]
        batches = FixedBatches(pool, parts, kept=kept)
        epoch, steps_per_epoch = batches.shuffled, len(batches)
        max_steps = recipe.max_steps
        layout = batches.layout
    order = order_by_length(dev_set.lengths)
    parts = np.split(order, range(DEV_BATCH_SIZE, len(order), DEV_BATCH_SIZE))
    return BatchPlan(
        begin=lambda: partial(epoch, deepcopy(generator)),
        steps_per_epoch=steps_per_epoch,
        max_steps=settings.max_steps or max_steps,
        layout=layout,
        dev=FixedBatches(_pool(dev_set, kind, settings.device), parts, kept=kept),
    )


def _pool(examples: Examples, kind: str, device: torch.device) -> Pool:
    """Put the gold values on the training device."""
    gold = examples.gold[kind]
    values = torch.from_numpy(gold.values).to(device)
    return Pool(examples.lengths, values, kind == "distance", first_gold=gold.starts)


def _schedule(task: Task, rank: int, n_coordinates: int) -> tuple[Schedule, float]:
    """Give a probe's schedule, and the bound of its initial components."""
    recipe, rate, batches = task.settings.recipe, task.settings.learning_rate, task.batches
    if isinstance(recipe, Published):
        rate = rate or recipe.learning_rate
        return Plateau(recipe, rate, batches.steps_per_epoch, batches.max_steps), recipe.start
    scale = (rank * n_coordinates) ** -0.5
    rate = rate or scale * (recipe.distance_rate if task.pairs else recipe.depth_rate)
    return Cosine(recipe, rate, batches.max_steps), recipe.start * scale


def new_problem(task: Task, rank: int, n_kept: int, width: int) -> Problem:
    """Draw the initial components, in the first `n_kept` coordinates, and make the schedule."""
    schedule, spread = _schedule(task, rank, n_kept)
    start = torch.zeros(rank, width)
    drawn = np.random.default_rng(task.seed).uniform(-spread, spread, (rank, n_kept))
    start[:, :n_kept] = torch.from_numpy(drawn)
    return Problem(start.to(task.settings.device), schedule)


def lay_out_layers(
    examples: Examples,
    layout: Layout,
    *,
    bases: Mapping[Layer, Tensor | None],
    width: int,
    device: torch.device,
    dtype: torch.dtype,
    centred: bool,
) -> Tensor:
    """Lay out the vectors of all layers in their coordinates: (n_layers, n_rows, width)."""
    out = torch.zeros((len(bases), layout.n_rows, width), device=device, dtype=dtype)
    for (layer, basis), own in zip(bases.items(), out, strict=True):
        lay_out(examples.layers[layer], basis, own, layout.first_rows, centred=centred)
    return out


def _train_from_disk(
    task: Task,
    problems: Sequence[Problem],
    layer: Layer,
    basis: Tensor | None,
    on_step: OnStep | None,
) -> None:
    """Train on one layer that does not fit into memory; each problem reads its own rows."""
    batches, device, centred = task.batches, task.settings.device, task.pairs
    words, dev_words = (part.layers[layer] for part in (task.split.train, task.split.dev))
    products, epoch = task.settings.products, batches.begin()
    with (
        spooled(words, basis, batches.layout, products, centred=centred) as spool,
        spooled(dev_words, basis, batches.dev.layout, torch.float32, centred=centred) as dev_spool,
    ):
        stacks = [
            Stack(task.new_loss(), [problem], Streamed(spool, device), Streamed(dev_spool, device))
            for problem in problems
        ]
        dev = ReadAhead(batches.dev, dev_spool)
        train(stacks, lambda: ReadAhead(epoch(), spool), dev, on_step)


def _stacks(
    new_loss: Callable[[], Loss],
    problems: Mapping[tuple[Layer, int], Problem],
    layers: Sequence[Layer],
    vectors: Tensor,
    dev_vectors: Tensor,
) -> list[Stack]:
    """Stack the problems that are solved together: those of one rank on several layers."""
    if len(layers) == 1:
        return [
            Stack(new_loss(), [problem], vectors[0], dev_vectors[0])
            for problem in problems.values()
        ]
    place = {layer: index for index, layer in enumerate(layers)}
    stacks = []
    for rank in {rank: None for _, rank in problems}:
        own = {layer: problem for (layer, other), problem in problems.items() if other == rank}
        if len(own) == len(layers):
            stacks.append(Stack(new_loss(), [*own.values()], vectors, dev_vectors))
        else:
            index = torch.tensor([place[layer] for layer in own], device=vectors.device)
            stacks.append(Stack(new_loss(), [*own.values()], vectors[index], dev_vectors[index]))
    return stacks


def _raw_components(components: Tensor, basis: Tensor | None) -> NDArray[np.float32]:
    """Map components back to raw vectors."""
    components = components.cpu()
    if basis is not None:
        basis = basis.cpu()
        components = (components[:, : len(basis)].double() @ basis).float()
    return components.numpy()


def _history(problem: Problem, steps_per_epoch: int) -> dict[str, Any]:
    """Give the history of a training run in plain values."""
    best = problem.kept
    return {
        "steps_per_epoch": steps_per_epoch,
        "steps": problem.history[-1]["step"],
        "best_step": best["step"],
        "best_epoch": best["step"] / steps_per_epoch,
        "best_dev_loss": best["dev_loss"],
        "evaluations": problem.history,
    }
