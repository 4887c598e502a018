"""The training loop: it works on tensors and losses, and knows nothing about syntax."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.memory import Halving
from structprobe.probe.data.batches import Batch, Vectors, halve, rows_of
from structprobe.probe.training.recipes import Published, Whitened

Loss = Callable[[Tensor, Tensor, Any, Tensor | None], Tensor]
B = TypeVar("B")  # A batch of any kind

ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on one tensor, in place."""

    # By row, one step size serves a whole row, so that no axis of the vectors is special: the path
    # is the same in all rotated coordinates.

    def __init__(self, like: Tensor, *, by_row: bool = False) -> None:
        self.mean, self.by_row = torch.zeros_like(like), by_row
        self.square = torch.zeros_like(like[..., :1] if by_row else like)
        self.scratch, self.t = torch.empty_like(self.square), 0

    def step(
        self, parameters: Tensor, gradient: Tensor, rate: float, shares: Tensor | None = None
    ) -> None:
        """Update the parameters."""
        beta1, beta2 = ADAM_BETAS
        self.t += 1
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2)
        if self.by_row:
            self.square.add_(gradient.square().mean(-1, keepdim=True), alpha=1 - beta2)
        else:
            self.square.addcmul_(gradient, gradient, value=1 - beta2)
        # Correcting the bias of the second moment in the scalars saves a pass over the tensor.
        bias = (1 - beta2**self.t) ** 0.5
        torch.sqrt(self.square, out=self.scratch).add_(ADAM_EPSILON * bias)
        if shares is not None:
            self.scratch /= shares
        parameters.addcdiv_(self.mean, self.scratch, value=-rate * bias / (1 - beta1**self.t))

    def keep(self, index: Tensor) -> None:
        """Keep only some of the problems, along the first axis."""
        self.mean, self.square = self.mean[index], self.square[index]
        self.scratch = torch.empty_like(self.square)


class Plateau:
    """The published schedule: torch's `ReduceLROnPlateau`, with the dev loss once per epoch."""

    def __init__(
        self, recipe: Published, learning_rate: float, steps_per_epoch: int, max_steps: int | None
    ) -> None:
        self.recipe, self.rate, self.steps_per_epoch = recipe, learning_rate, steps_per_epoch
        self.max_steps = max_steps or recipe.max_epochs * steps_per_epoch
        self.min_gain = recipe.min_gain  # by how much the loss must fall for components to be kept
        self.best = self.last_gain = math.inf
        self.stale = 0

    def learning_rate(self, step: int) -> float:
        """Learning rate at a step, counted from 1; constant within an epoch."""
        return self.rate

    def evaluates_at(self, step: int) -> bool:
        """Whether the dev loss is taken after a step: the last of an epoch, or of training."""
        return step % self.steps_per_epoch == 0 or step >= self.max_steps

    def stops_after(self, step: int, dev_loss: float) -> bool:
        """Record a dev loss, and say whether training ends: if there was no gain for too long."""
        if dev_loss < self.best * (1 - self.recipe.decay_threshold):
            self.best = dev_loss
        else:
            slower = self.rate * self.recipe.decay
            if self.rate - slower > self.recipe.min_decay:
                self.rate = slower
        self.stale += 1
        if dev_loss < self.last_gain - self.min_gain:
            self.last_gain, self.stale = dev_loss, 0
        return self.stale >= self.recipe.patience or step >= self.max_steps


class Cosine:
    """The default schedule: a linear warm-up, then a cosine down to zero."""

    min_gain = 0.0

    def __init__(self, recipe: Whitened, learning_rate: float, max_steps: int) -> None:
        self.recipe, self.peak, self.max_steps = recipe, learning_rate, max_steps
        self.warm_up = max(1, round(recipe.warm_up * max_steps))
        self.evaluate_every = max(1, max_steps // recipe.evaluations)

    def learning_rate(self, step: int) -> float:
        """Learning rate at a step, counted from 1."""
        if step <= self.warm_up:
            return self.peak * step / self.warm_up
        done = (step - self.warm_up) / (self.max_steps + 1 - self.warm_up)
        return self.peak * (1 + math.cos(math.pi * done)) / 2

    def evaluates_at(self, step: int) -> bool:
        """Whether the dev loss is taken after a step."""
        return step % self.evaluate_every == 0 or step >= self.max_steps

    def stops_after(self, step: int, dev_loss: float) -> bool:
        """Stop after the last step."""
        return step >= self.max_steps


# When to take the dev loss, when to stop, and the learning rate.
Schedule = Plateau | Cosine


@dataclass(slots=True)
class Problem:
    """One set of components to be trained, and the best ones so far."""

    start: Tensor  # (rank, width): the initial components
    schedule: Schedule
    column_rates: Tensor | None = None  # (width,): the learning rate of each column, relative
    decay: float = 0.0  # Of all components in a step, relative to its learning rate
    by_row: bool = False  # Whether each row has one step size, see `Adam`
    components: Tensor = field(init=False)  # (rank, width): the components that are kept
    kept: dict[str, float] = field(init=False)  # The evaluation that they come from
    ended: bool = field(init=False, default=False)
    history: list[dict[str, float]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.components = self.start.clone()
        self.kept = {"dev_loss": math.inf}

    def note(self, step: int, losses: Tensor, dev_loss: float, current: Tensor) -> bool:
        """Record an evaluation, and note and say whether training ends."""
        # losses (n_steps,), current (rank, width)
        bad = torch.nonzero(~losses.isfinite().flatten())
        if len(bad) or not math.isfinite(dev_loss):
            where = step - len(losses) + 1 + int(bad[0]) if len(bad) else step
            hint = "use a smaller learning_rate"
            if isinstance(self.schedule, Plateau):
                hint += " or recipe='whitened'"
            raise ProbeError(f"the loss is no longer finite at step {where}", hint=hint)
        entry = {
            "step": step,
            "learning_rate": self.schedule.learning_rate(step),
            "train_loss": float(losses.mean()),
            "dev_loss": dev_loss,
        }
        self.history.append(entry)
        if dev_loss < self.kept["dev_loss"] - self.schedule.min_gain:
            self.components.copy_(current)
            self.kept = entry
        self.ended = self.schedule.stops_after(step, dev_loss)
        return self.ended


class Stack:
    """Problems of one rank that are solved together, each on its own vectors."""

    # A single problem may come without the axis of problems. No step waits for the device.

    def __init__(
        self,
        loss: Loss,
        problems: Sequence[Problem],
        vectors: Vectors,
        dev_vectors: Vectors,
        places: Tensor | None = None,
    ) -> None:
        self.loss, self.problems = loss, list(problems)
        self.vectors, self.dev_vectors = vectors, dev_vectors
        self.places = places  # (p,): of the vectors of each problem; None if all are in order
        starts = torch.stack([problem.start for problem in problems])
        self.components = starts if vectors.dim() > 2 else starts.squeeze(0)
        self.gradient = torch.empty_like(self.components)
        self.adam = Adam(self.components, by_row=problems[0].by_row)
        self.losses: list[Tensor] = []
        self.halving = make_halving()
        self.shares: Tensor | None = None
        self.decays: Tensor | None = None
        self._share_rates(1)

    def step(self, batch: Batch, step: int) -> None:
        """Take one step."""
        self.losses.append(self._loss(batch, self.vectors, self.gradient))
        rate = self.problems[0].schedule.learning_rate(step)
        if self.decays is not None:
            self.components *= 1 - rate * self.decays
        self.adam.step(self.components, self.gradient, rate, self.shares)

    def evaluate(self, dev: Iterable[Batch], step: int) -> None:
        """Take the dev loss, and keep the best components."""
        dev_losses = mean_loss(lambda batch: self._loss(batch, self.dev_vectors, None), dev)
        losses = torch.stack(self.losses).cpu().reshape(len(self.losses), -1)  # (n_steps, p)
        self.losses = []
        each = losses.T, dev_losses.reshape(-1).tolist(), self.current
        found = zip(self.problems, *each, strict=True)
        for problem, *values in found:
            problem.note(step, *values)

    @property
    def current(self) -> Tensor:
        """The components of each problem, (p, rank, width)."""
        return self.components.view(-1, *self.components.shape[-2:])

    def dev_rows(self, batch: Batch, place: int) -> Tensor:
        """Take the dev rows of a batch for one of the problems."""
        # -> (m, width)
        rows = rows_of(self.dev_vectors, batch.rows)
        if self.components.dim() == 2:
            return rows
        return rows[place if self.places is None else self.places[place]]

    def drop_ended(self, step: int) -> None:
        """Drop the problems that have ended at a step."""
        places = [place for place, problem in enumerate(self.problems) if not problem.ended]
        any_ended = len(places) < len(self.problems)
        self.problems = [self.problems[place] for place in places]
        if self.problems and any_ended:  # so there are several, along the first axis
            index = torch.tensor(places, device=self.components.device)
            self.components, self.gradient = self.components[index], self.gradient[index]
            self.places = index if self.places is None else self.places[index]
            self.adam.keep(index)
        if self.problems:
            self._share_rates(step + 1)

    def _loss(self, batch: Batch, vectors: Vectors, gradient: Tensor | None) -> Tensor:
        """Give the loss of a batch and fill in its gradient, by halves if need be."""
        total: list[Tensor] = []

        def take(part: Batch) -> Tensor:
            loss = self.loss(self.components, self._rows(vectors, part), part, gradient)
            if part is not batch and gradient is not None:
                total[:] = [total[0].add_(gradient) if total else gradient.clone()]
            return loss

        losses = self.halving.run(take, batch, halve)
        if total and gradient is not None:
            gradient.copy_(total[0])
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)

    def _rows(self, vectors: Vectors, batch: Batch) -> Tensor:
        """Take the rows of a batch, of each problem."""
        # -> (..., m, width)
        rows = rows_of(vectors, batch.rows)
        # Only those of the batch are copied: the vectors may be shared with other stacks.
        return rows if self.places is None else rows.index_select(0, self.places)

    def _share_rates(self, step: int) -> None:
        """Relate the learning rates to that of the first problem, until the next evaluation."""
        rates = [problem.schedule.learning_rate(step) for problem in self.problems]
        shares = torch.tensor(rates, dtype=torch.float64) / rates[0]
        decays = shares * torch.tensor([problem.decay for problem in self.problems])
        columns = [one.column_rates for one in self.problems if one.column_rates is not None]
        self.shares = self.decays = None
        if (shares != 1).any():
            self.shares = self._per_problem(shares)
        if columns:
            own = torch.stack(columns)[:, None]  # (p, 1, width)
            self.shares = self._per_problem(shares) * (own if self.components.dim() > 2 else own[0])
        if decays.any():
            self.decays = self._per_problem(decays)

    def _per_problem(self, numbers: Tensor) -> Tensor:
        """Put one number per problem where it meets the components."""
        # numbers (p,) -> (p, 1, 1), or (1, 1) for a problem without the axis
        numbers = numbers.to(self.components)[:, None, None]
        return numbers if self.components.dim() > 2 else numbers[0]


def train(
    stacks: Sequence[Stack],
    epoch: Callable[[], Iterable[Batch]],
    dev: Iterable[Batch],
    on_step: Callable[[int], None] | None = None,
    contest: Callable[[Sequence[Stack], int], None] | None = None,
) -> None:
    """Minimise losses with Adam on the same batches; the problems keep the best components.

    The contest may end some of the problems after an evaluation.
    """
    going, step, batches = list(stacks), 0, endless(epoch)
    while going:
        batch, step = next(batches), step + 1
        for stack in going:
            stack.step(batch, step)
        if on_step:
            on_step(step)
        if going[0].problems[0].schedule.evaluates_at(step):
            for stack in going:
                stack.evaluate(dev, step)
            if contest:
                contest(going, step)
            for stack in going:
                stack.drop_ended(step)
            going = [stack for stack in going if stack.problems]


def make_halving() -> Halving:
    """Make smaller batches where memory does not suffice for training."""
    hint = "leave out the longest sentences, use a smaller rank, or train on another device"
    return Halving("training", ProbeError, hint)


def mean_loss(loss: Callable[[Any], Tensor], batches: Iterable[Any]) -> Tensor:
    """Mean loss over the sentences of several batches."""
    # loss (batch) -> (...,)
    means, counts = [], []
    for batch in batches:
        means.append(loss(batch))
        counts.append(batch.n_sentences)
    on_cpu = torch.stack(means).cpu()  # first, as some devices have no float64
    sums = [mean.double() * count for mean, count in zip(on_cpu, counts, strict=True)]
    found: Tensor = torch.stack(sums).sum(0) / sum(counts)
    return found


def endless(epoch: Callable[[], Iterable[B]]) -> Iterator[B]:
    """Give the batches of one epoch after another."""
    while True:
        yield from epoch()
