"""Fit probes of one kind together, on one or more layers.

Layers and ranks that share their sentences and seed share all batches. On an accelerator, all
layers of a rank are one matrix product; on the CPU, layers come one at a time, so that the data of
a step stays in a core's caches. Either way, each probe is the same as if it were fitted alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from structprobe.memory import is_out_of_memory
from structprobe.probe.data import batches
from structprobe.probe.data.batches import Batch, FixedBatches, Layout, Pool
from structprobe.probe.data.examples import RELATION, Examples, Split
from structprobe.probe.data.whitening import Moments, lay_out
from structprobe.probe.losses.block_loss import AbsoluteLoss
from structprobe.probe.losses.geometries import EUCLIDEAN, Geometry
from structprobe.probe.losses.geometry import DistanceLoss, depth_loss
from structprobe.probe.losses.relations import RelationForm, RelationLoss
from structprobe.probe.losses.tree_likelihood import TreeLoss
from structprobe.probe.training.candidates import Candidates, Contest
from structprobe.probe.training.loop import Cosine, Loss, Plateau, Problem, Schedule, Stack, train
from structprobe.probe.training.recipes import Published, TreeAxes
from structprobe.probe.training.relation_task import (
    RECIPE,
    FittedRelations,
    for_raw_vectors,
    relation_pools,
    relation_problem,
)
from structprobe.probe.training.settings import Settings
from structprobe.probe.training.spaces import Space, find_space
from structprobe.probe.training.streaming import ReadAhead, Streamed, spooled, streams
from structprobe.probe.types import Layer

DEV_BATCH_SIZE = 64

DISTANCE_LOSSES: dict[str, Callable[[Geometry], Loss]] = {
    "absolute": lambda one: DistanceLoss() if one is EUCLIDEAN else AbsoluteLoss(one),
    "tree": TreeLoss,
}

_log = logging.getLogger(__name__)

OnStep = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FittedMatrix:
    """A fitted matrix, for raw vectors, and its training history."""

    components: NDArray[np.float32]  # (rank, hidden_size)
    history: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What a kind of probe is trained on, and how: the same for all layers and ranks."""

    kind: str  # One of `KINDS`, or `RELATION`
    split: Split
    settings: Settings
    seed: SeedSequence  # Of the initial components
    begin: Callable[[], Callable[[], Iterable[Batch]]]  # Epochs, independent of other runs
    steps_per_epoch: int  # Batches in an epoch
    max_steps: int  # Steps after which training ends in any case
    layout: Layout  # Of the training set
    dev: FixedBatches
    form: RelationForm | None = None  # Of relations
    classes: NDArray[np.integer] | None = None  # (n_classes,): the numbers of the relations

    @property
    def pairs(self) -> bool:
        """Whether it is trained on word pairs rather than words."""
        return self.kind == "distance"

    @property
    def centred(self) -> bool:
        """Whether vectors are centred by sentence: where only their differences matter."""
        return self.pairs and self.settings.geometry.by_differences

    def new_loss(self) -> Loss:
        """Make the loss; one that reuses memory serves one thread only."""
        if self.form is not None:
            return RelationLoss(self.form)
        if not self.pairs:
            return depth_loss
        return DISTANCE_LOSSES[self.settings.loss](self.settings.geometry)


def make_task(
    kind: str,
    split: Split,
    settings: Settings,
    seeds: Sequence[SeedSequence],
    *,
    kept: bool = True,
    pools: tuple[Pool, Pool] | None = None,
) -> Task:
    """Compose the batches with the first seed; the second is for the initial components."""
    batches_seed, start_seed = seeds
    generator, form, classes = np.random.default_rng(batches_seed), None, None
    if kind == RELATION:
        settings = replace(settings, recipe=RECIPE)
        assert settings.reads is not None
        form, classes, pools = relation_pools(split, settings.reads, settings.device)
    elif pools is None:
        pools = _pool(split.train, kind, settings.device), _pool(split.dev, kind, settings.device)
    pairs, recipe, lengths = kind == "distance", settings.recipe, split.train.lengths
    batch_size = settings.batch_size or recipe.batch_size
    pool, dev_pool = pools
    epoch: Callable[[np.random.Generator], Iterable[Batch]]
    if isinstance(recipe, Published):
        epoch = partial(batches.random_batches, pool, batch_size)
        steps_per_epoch = -(-len(lengths) // batch_size)
        max_steps = recipe.max_epochs * steps_per_epoch
        layout = batches.word_order(pool, batch_size)
    else:
        # One-word sentences have no distances, and would only thin out the steps.
        chosen = np.flatnonzero(lengths > 1) if pairs else np.arange(len(lengths))
        mixed = batches.mixed_batches(lengths[chosen], batch_size, generator)
        fixed = FixedBatches(pool, [chosen[part] for part in mixed], kept=kept)
        epoch, steps_per_epoch, layout = fixed.shuffled, len(fixed), fixed.layout
        max_steps = recipe.max_steps
    order = batches.order_by_length(split.dev.lengths)
    parts = np.split(order, range(DEV_BATCH_SIZE, len(order), DEV_BATCH_SIZE))
    return Task(
        *(kind, split, settings, start_seed),
        begin=lambda: partial(epoch, deepcopy(generator)),
        steps_per_epoch=steps_per_epoch,
        max_steps=settings.max_steps or max_steps,
        layout=layout,
        dev=FixedBatches(dev_pool, parts, kept=kept),
        form=form,
        classes=classes,
    )


def fit_kind(
    task: Task,
    ranks: Mapping[Layer, Sequence[int]],
    moments: Mapping[Layer, Moments],
    on_step: OnStep | None = None,
) -> dict[tuple[Layer, int], FittedMatrix]:
    """Find the matrices of one kind, of all ranks on each layer."""
    found, spaces = train_kind(task, ranks, moments, on_step)
    return {key: _fitted(task, own, spaces[key[0]].basis) for key, own in found.items()}


def fit_relations(
    task: Task,
    layers: Iterable[Layer],
    moments: Mapping[Layer, Moments],
    on_step: OnStep | None = None,
) -> dict[Layer, FittedRelations]:
    """Find the map to relations of each layer."""
    assert task.form is not None
    assert task.classes is not None
    ranks = {layer: [task.form.n_rows] for layer in layers}
    found, spaces = train_kind(task, ranks, moments, on_step)
    fitted = {}
    for (layer, _), own in found.items():
        problem, space = own.problems[own.chosen], spaces[layer]
        assert space.basis is not None
        assert space.origin is not None
        raw = problem.components.cpu(), space.basis.cpu(), space.origin.cpu()
        told = for_raw_vectors(task.form, *raw)
        told |= {"classes": task.classes, "history": _history(task, own)}
        fitted[layer] = FittedRelations(**told)
    return fitted


def train_kind(
    task: Task,
    ranks: Mapping[Layer, Sequence[int]],
    moments: Mapping[Layer, Moments],
    on_step: OnStep | None = None,
) -> tuple[dict[tuple[Layer, int], Candidates], dict[Layer, Space]]:
    """Train the matrices of one kind, in the coordinates of each layer."""
    settings = task.settings
    spaces = {
        layer: find_space(task.kind, moments.get(layer), centred=task.centred) for layer in ranks
    }
    width = task.split.train.layers[next(iter(ranks))].hidden_size
    found = {
        (layer, rank): make_candidates(task, rank, spaces[layer], width)
        for layer, own_ranks in ranks.items()
        for rank in own_ranks
    }
    vectors = None
    if not streams([*ranks], task.split, settings):
        try:
            vectors = lay_out_layers(task, spaces, width, settings.products)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            _log.warning("training: not enough memory for the vectors; reading them from disk")
    if vectors is not None:
        contest = _contest(task, found.values())
        train(_stacks(task, found, vectors), task.begin(), task.dev, on_step, contest)
    else:
        for layer, own_ranks in ranks.items():
            own = [found[layer, rank] for rank in own_ranks]
            _train_from_disk(task, own, layer, spaces[layer], on_step)
    return found, spaces


def make_candidates(task: Task, rank: int, space: Space, width: int) -> Candidates:
    """Make the problems of which one is chosen, by name: most recipes have only one."""
    recipe = task.settings.recipe
    if task.form is not None:
        problem = relation_problem(task.form, task.settings, width, task.max_steps)
        return Candidates({"": problem})
    n_kept = width if space.basis is None else len(space.basis)
    problem = new_problem(task, rank, n_kept, width)
    if space.closeness is None or not isinstance(recipe, TreeAxes):
        return Candidates({"": problem})
    assert isinstance(problem.schedule, Cosine)
    found = {}
    for axes in recipe.candidates:
        rates = torch.ones(width)
        rates[:n_kept] = (space.closeness.float().cpu() + axes.floor) ** axes.power
        rates = rates.to(problem.start)
        decay = axes.decay / problem.schedule.peak
        found[axes.name] = Problem(problem.start * rates, problem.schedule, rates, decay)
    return Candidates(found)


def _contest(task: Task, groups: Iterable[Candidates]) -> Contest | None:
    """Let candidates compete, if the recipe has any."""
    recipe, settings = task.settings.recipe, task.settings
    if not (isinstance(recipe, TreeAxes) and task.pairs):
        return None
    scaled = settings.loss == "absolute" and settings.geometry.homogeneous
    told = recipe.rungs, settings.select, recipe.margin, scaled, settings.geometry
    return Contest([*groups], task.dev, *told)


def _fitted(task: Task, group: Candidates, basis: Tensor | None) -> FittedMatrix:
    """Give the chosen matrix, for raw vectors, with its history."""
    problem, score = group.problems[group.chosen], group.scores.get(group.chosen)
    components = problem.components.cpu()
    if basis is not None:  # back to raw vectors
        raw = components[:, : len(basis)].double() @ basis.cpu()
        components = (raw if score is None else raw * score.factor**0.5).float()
    return FittedMatrix(components.numpy(), _history(task, group))


def _history(task: Task, group: Candidates) -> dict[str, Any]:
    """Tell how the chosen matrix was trained."""
    problem, score = group.problems[group.chosen], group.scores.get(group.chosen)
    best = problem.kept
    return {
        "steps_per_epoch": task.steps_per_epoch,
        "steps": problem.history[-1]["step"],
        "best_step": best["step"],
        "best_epoch": best["step"] / task.steps_per_epoch,
        "best_dev_loss": best["dev_loss"] if score is None else score.loss,
        "evaluations": problem.history,
        **({} if score is None else group.history()),
    }


def _pool(examples: Examples, kind: str, device: torch.device) -> Pool:
    """Put the gold values on the training device."""
    gold = examples.gold[kind]
    values = torch.from_numpy(gold.values).to(device)
    return Pool(examples.lengths, values, kind == "distance", first_gold=gold.starts)


def new_problem(task: Task, rank: int, n_kept: int, width: int) -> Problem:
    """Draw the initial components, in the first `n_kept` coordinates, and make the schedule."""
    recipe, rate = task.settings.recipe, task.settings.learning_rate
    schedule: Schedule
    if isinstance(recipe, Published):
        rate, spread = rate or recipe.learning_rate, recipe.start
        schedule = Plateau(recipe, rate, task.steps_per_epoch, task.max_steps)
    else:
        scale = (rank * n_kept) ** -0.5
        rate = rate or scale * (recipe.distance_rate if task.pairs else recipe.depth_rate)
        schedule, spread = Cosine(recipe, rate, task.max_steps), recipe.start * scale
    start = torch.zeros(rank, width)
    drawn = np.random.default_rng(task.seed).uniform(-spread, spread, (rank, n_kept))
    start[:, :n_kept] = torch.from_numpy(drawn)
    return Problem(start.to(task.settings.device), schedule)


def lay_out_layers(
    task: Task, spaces: Mapping[Layer, Space], width: int, products: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Lay out the vectors of both sets in their coordinates, each (n_layers, n_rows, width)."""
    split, device = task.split, task.settings.device
    found = []
    for examples, layout, dtype in (
        (split.train, task.layout, products),
        (split.dev, task.dev.layout, torch.float32),
    ):
        out = torch.zeros((len(spaces), layout.n_rows, width), device=device, dtype=dtype)
        for (layer, space), own in zip(spaces.items(), out, strict=True):
            told: dict[str, Any] = {"centred": task.centred, "origin": space.origin}
            lay_out(examples.layers[layer], space.basis, own, layout.first_rows, **told)
        found.append(out)
    return found[0], found[1]


def _train_from_disk(
    task: Task,
    groups: Sequence[Candidates],
    layer: Layer,
    space: Space,
    on_step: OnStep | None,
) -> None:
    """Train on one layer that does not fit into memory; each matrix reads its own rows."""
    device, basis = task.settings.device, space.basis
    told: dict[str, Any] = {"centred": task.centred, "origin": space.origin}
    words, dev_words = (part.layers[layer] for part in (task.split.train, task.split.dev))
    products, epoch = task.settings.products, task.begin()
    with (
        spooled(words, basis, task.layout, products, **told) as spool,
        spooled(dev_words, basis, task.dev.layout, torch.float32, **told) as dev_spool,
    ):
        stacks = []
        for group in groups:
            own = task.new_loss(), Streamed(spool, device), Streamed(dev_spool, device)
            loss, rows, dev_rows = own
            stacks += [Stack(loss, [one], rows, dev_rows) for one in group.problems.values()]
        dev = ReadAhead(task.dev, dev_spool)
        train(stacks, lambda: ReadAhead(epoch(), spool), dev, on_step, _contest(task, groups))


def _stacks(
    task: Task, groups: Mapping[tuple[Layer, int], Candidates], vectors: tuple[Tensor, Tensor]
) -> list[Stack]:
    """Stack the problems that are solved together: those of one rank on several layers."""
    place = {layer: index for index, layer in enumerate(dict.fromkeys(key[0] for key in groups))}
    stacks = []
    for rank in dict.fromkeys(rank for _, rank in groups):
        own = {layer: group for (layer, other), group in groups.items() if other == rank}
        (train_vectors, dev_vectors), places = vectors, None
        if len(place) == 1:
            train_vectors, dev_vectors = train_vectors[0], dev_vectors[0]
        elif len(own) < len(place):
            places = torch.tensor([place[layer] for layer in own], device=train_vectors.device)
        loss = task.new_loss()  # Candidates take turns on each batch, and share its memory
        for name in next(iter(own.values())).problems:
            problems = [group.problems[name] for group in own.values()]
            stacks.append(Stack(loss, problems, train_vectors, dev_vectors, places))
    return stacks
