"""Train a rotation that several tasks share, with a scaling of its axes for each task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import (
    Batch,
    FixedBatches,
    Pool,
    halve,
    mixed_batches,
    order_by_length,
    rows_of,
)
from structprobe.probe.data.examples import Examples, Split, gold_of
from structprobe.probe.data.ragged_vectors import FLOAT32_EPS, ragged
from structprobe.probe.data.tasks import Task
from structprobe.probe.data.whitening import Moments, lay_out, second_moments, whitening
from structprobe.probe.losses.geometry import DistanceLoss, depth_loss
from structprobe.probe.losses.shared_rotation import (
    add_task_loss,
    angle_gradient,
    made_orthogonal,
    turn,
)
from structprobe.probe.training.fit import DEV_BATCH_SIZE, OnStep
from structprobe.probe.training.loop import (
    Adam,
    Cosine,
    Loss,
    Problem,
    endless,
    make_halving,
    mean_loss,
)
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import Settings

RATE = 0.1  # Peak learning rate of the scalings, relative to their start
STRETCHES = 1.5, 0.5  # The scalings at the start, from the first axis to the last, relative
ANGLE_RATE = 1.0  # That of the angles, relative to it and to 1 / sqrt(width)


@dataclass(frozen=True, slots=True)
class RotationSettings:
    """The hyperparameters of an orthogonal probe, checked."""

    general: Settings
    coordinates: str  # One of `COORDINATES`
    l1: float
    threshold: float


@dataclass(frozen=True, slots=True)
class FittedRotation:
    """A rotation and the scalings of tasks, for coordinates of the raw vectors."""

    rotation: NDArray[np.float32]  # (n_axes, n_axes)
    coordinates: NDArray[np.float32]  # (n_axes, hidden_size)
    scalings: Mapping[str, NDArray[np.float32]]  # (n_axes,): 0 for axes that were dropped
    weights: Mapping[str, NDArray[np.float32]]  # (n_axes,): shares of the mean predicted value
    dev_losses: Mapping[str, float]
    history: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """The same sentences for each task."""

    parts: Sequence[Batch]
    n_sentences: int


class TaskBatches:
    """Batches of the same sentences in every epoch, for several tasks, and their vectors."""

    def __init__(
        self,
        examples: Examples,
        units: Mapping[Task, float],
        parts: Sequence[NDArray[np.integer]],
        basis: Tensor,
        device: torch.device,
    ) -> None:
        self.sizes, self.own, self.vectors = [*map(len, parts)], [], dict[str, Tensor]()
        for task, unit in units.items():
            gold, pairs = examples.gold[task.name], task.kind == "distance"
            values = torch.from_numpy(gold.values).to(device)
            pool = Pool(examples.lengths, values, pairs, first_gold=gold.starts)
            batches = FixedBatches(pool, parts, kept=True)
            for batch in batches:
                batch.weights.div_(unit)
            self.own.append(batches)
            if task.kind not in self.vectors:  # All tasks of a kind have the same rows
                rows = torch.zeros(batches.layout.n_rows, len(basis), device=device)
                first_rows = batches.layout.first_rows
                lay_out(examples.layers[None], basis, rows, first_rows, centred=pairs)
                self.vectors[task.kind] = rows

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> TaskBatch:
        return TaskBatch([batches[index] for batches in self.own], self.sizes[index])

    def __iter__(self) -> Iterator[TaskBatch]:
        return (self[index] for index in range(len(self)))

    def shuffled(self, generator: np.random.Generator) -> Iterator[TaskBatch]:
        """Give all batches in random order."""
        return (self[index] for index in generator.permutation(len(self)).tolist())


class SharedRotation:
    """The parameters, in one tensor: the axes, then the scaling of each task by its start."""

    def __init__(self, kinds: Sequence[str], starts: Sequence[float], stretches: Tensor) -> None:
        # stretches (width,)
        self.kinds, self.width = kinds, len(stretches)
        self.starts = torch.tensor(starts)[:, None]  # (n_tasks, 1)
        self.parameters = torch.cat([torch.eye(self.width), stretches.expand(len(kinds), -1)])
        self.pair_loss, self.halving = DistanceLoss(), make_halving()

    def to(self, device: torch.device) -> Self:
        """Move to a device, and be ready for the first step."""
        self.starts, self.parameters = self.starts.to(device), self.parameters.to(device)
        self.gradient = torch.zeros_like(self.parameters)
        self.adams = [*map(Adam, self.split(self.parameters))]
        return self

    def split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Give the rotation, and the scalings relative to their starts."""
        # -> (width, width), (n_tasks, width)
        return parameters[: self.width], parameters[self.width :]

    def losses(
        self, batch: TaskBatch, vectors: Mapping[str, Tensor], gradient: Tensor | None = None
    ) -> Tensor:
        """Give the loss of each task, and add their gradients."""
        # gradient (width + n_tasks, width) -> (n_tasks,)
        rotation, stretches = self.split(self.parameters)
        scalings, found = stretches * self.starts, []
        for index, (kind, part) in enumerate(zip(self.kinds, batch.parts, strict=True)):
            loss: Loss = self.pair_loss if kind == "distance" else depth_loss
            into = None
            if gradient is not None:
                into = gradient[: self.width], gradient[self.width + index]
            take = partial(_take, loss, (rotation, scalings[index]), vectors[kind], into)
            found.append(torch.stack(self.halving.run(take, part, halve)).sum())
        return torch.stack(found)

    def step(
        self, batch: TaskBatch, vectors: Mapping[str, Tensor], rate: float, l1: float
    ) -> Tensor:
        """Take one step, and give the loss before it, without the penalty."""
        # -> ()
        loss = self.losses(batch, vectors, self.gradient.zero_()).sum()
        rotation, stretches = self.split(self.parameters)
        in_rotation, in_stretches = self.split(self.gradient)
        in_stretches.mul_(self.starts).add_(stretches.sign(), alpha=l1 / self.width)
        angles, (turning, stretching) = torch.zeros_like(rotation), self.adams
        own = rate * ANGLE_RATE * self.width**-0.5
        turning.step(angles, angle_gradient(rotation, in_rotation), own)
        rotation.copy_(turn(rotation, angles))
        stretching.step(stretches, in_stretches, rate)
        return loss

    def tidy(self) -> None:
        """Remove the rounding errors of the rotation."""
        rotation, _ = self.split(self.parameters)
        rotation.copy_(made_orthogonal(rotation))


def _take(
    loss: Loss,
    axes: tuple[Tensor, Tensor],
    vectors: Tensor,
    into: tuple[Tensor, Tensor] | None,
    batch: Batch,
) -> Tensor:
    """Give the loss of a batch of one task, or of a part of it."""
    return add_task_loss(loss, axes, rows_of(vectors, batch.rows), batch, into)


def fit_rotation(
    tasks: Sequence[Task],
    split: Split,
    settings: RotationSettings,
    generator: np.random.Generator,
    on_step: OnStep | None = None,
) -> FittedRotation:
    """Find the rotation and the scalings with the lowest dev loss."""
    recipe, general = Whitened(), settings.general
    train_set = split.train
    space = _Space.of(train_set, settings)
    basis = space.start @ space.coordinates  # (width, hidden_size)
    sizes = {task: _sizes(train_set, task) for task in tasks}
    units = {task: unit for task, (_, unit) in sizes.items()}
    n_dev, batch_size = len(split.dev.lengths), general.batch_size or recipe.batch_size
    order = order_by_length(split.dev.lengths)
    parts = (
        mixed_batches(train_set.lengths, batch_size, generator),
        np.split(order, range(DEV_BATCH_SIZE, n_dev, DEV_BATCH_SIZE)),
    )
    batches, dev = (
        TaskBatches(own, units, some, basis, general.device)
        for own, some in zip((train_set, split.dev), parts, strict=True)
    )
    # Axes of equal scalings have no gradient in the angle between them, only rounding errors.
    stretches = torch.linspace(*STRETCHES, len(basis))
    starts = [
        (mean / float(space.squares(basis, task.kind) @ stretches.double().square())) ** 0.5
        for task, (mean, _) in sizes.items()
    ]
    kinds = [task.kind for task in tasks]
    shared = SharedRotation(kinds, starts, stretches).to(general.device)
    schedule = Cosine(recipe, general.learning_rate or RATE, general.max_steps or recipe.max_steps)
    problem, losses = Problem(shared.parameters, schedule), []
    for step, batch in enumerate(endless(lambda: batches.shuffled(generator)), 1):
        rate = schedule.learning_rate(step)
        losses.append(shared.step(batch, batches.vectors, rate, settings.l1))
        if on_step:
            on_step(step)
        if schedule.evaluates_at(step):
            shared.tidy()
            each = mean_loss(lambda one: shared.losses(one, dev.vectors), dev)
            told = step, torch.stack(losses).cpu(), float(each.sum()), shared.parameters
            if problem.note(*told):
                break
            losses = []
    return _finish(problem, shared, space, dev, units, settings.threshold)


def _finish(
    problem: Problem,
    shared: SharedRotation,
    space: _Space,
    dev: TaskBatches,
    units: Mapping[Task, float],
    threshold: float,
) -> FittedRotation:
    """Drop the weakest axes of each task, and take the dev losses without them."""
    turned, stretches = shared.split(problem.components)
    rotation = made_orthogonal(made_orthogonal(turned.double().cpu()))
    axes = rotation @ space.start  # (width, n_coordinates)
    basis = axes @ space.coordinates
    scalings, weights = (shared.starts * stretches).double().cpu(), {}
    for task, scaling in zip(units, scalings, strict=True):
        parts = scaling.square() * space.squares(basis, task.kind)  # (width,)
        order = parts.argsort()
        weak = parts[order].cumsum(0) <= threshold * parts.sum()
        scaling[order[weak]] = parts[order[weak]] = 0
        weights[task.name] = (parts / parts.sum().clamp(min=FLOAT32_EPS)).float().numpy()
    kept = torch.cat([turned, (scalings.to(shared.starts) / shared.starts)])
    shared.parameters.copy_(kept)
    losses = mean_loss(lambda one: shared.losses(one, dev.vectors), dev).tolist()
    return FittedRotation(
        axes.float().numpy(),
        space.coordinates.cpu().float().numpy(),
        {task.name: own.float().numpy() for task, own in zip(units, scalings, strict=True)},
        weights,
        {task.name: loss * unit for loss, (task, unit) in zip(losses, units.items(), strict=True)},
        problem.history,
    )


@dataclass(frozen=True, slots=True)
class _Space:
    """The coordinates in which the axes are turned, and the axes to begin with."""

    coordinates: Tensor  # (width, hidden_size)
    start: Tensor  # (width, width)
    moments: Moments

    @classmethod
    def of(cls, examples: Examples, settings: RotationSettings) -> Self:
        """Begin with the axes along which heads and dependents are closest."""
        # So no axis of the vectors is special, and the path is the same in rotated coordinates.
        words, device = examples.layers[None], settings.general.device
        trees = gold_of("distance", examples.heads)
        moments = second_moments(words, device if device.type == "cuda" else None, trees)
        assert moments.neighbours is not None
        if settings.coordinates == "raw":
            coordinates = torch.eye(words.hidden_size).to(moments.within)
        else:
            coordinates = whitening(moments, centred=False)
        if not float((coordinates @ moments.within @ coordinates.T).trace()) > 0:
            told = "all words of a sentence have the same vector"
            raise ProbeError(told, hint="check the layer and how it was encoded")
        _, axes = torch.linalg.eigh(coordinates @ moments.neighbours.second @ coordinates.T)
        return cls(coordinates, axes.T.contiguous(), moments)

    def squares(self, basis: Tensor, kind: str) -> Tensor:
        """Give the mean squares along axes: of the difference of two words, or of a word."""
        # basis (width, hidden_size) -> (width,)
        moments, basis = self.moments, basis.cpu()
        moment = 2 * moments.within if kind == "distance" else moments.about_origin
        return (basis @ moment.cpu() * basis).sum(1)


def _sizes(examples: Examples, task: Task) -> tuple[float, float]:
    """Give the mean of the gold values of a task, and how far they are from it on average."""
    # Both are of each sentence, and then averaged, as in the loss.
    lengths, gold = examples.lengths, examples.gold[task.name]
    sizes = lengths**2 if task.kind == "distance" else lengths
    sentence, inside = ragged(sizes)
    values = gold.values[gold.starts[sentence] + inside].astype(np.float64)
    means = np.bincount(sentence, values) / sizes
    spreads = np.bincount(sentence, np.abs(values - means[sentence])) / sizes
    return float(means.mean()), float(spreads.mean())
