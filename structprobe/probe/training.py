"""The training engine: it knows tensors, a loss and a learning rate, and nothing of syntax."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.batches import Batch
from structprobe.probe.recipes import Published, Whitened

Loss = Callable[[Tensor, Any, Tensor | None], Tensor]


class Schedule(Protocol):
    """When to step how far, when to look at the dev loss, and when to stop.

    Attributes
    ----------
    max_steps : int
        Steps after which training ends in any case.
    """

    max_steps: int

    def learning_rate(self, step: int) -> float:
        """Adam's step size at a step, counted from 1."""

    def evaluates_at(self, step: int) -> bool:
        """Whether the dev loss is taken after a step."""

    def stops_after(self, step: int, dev_loss: float) -> bool:
        """Take note of a dev loss, and say whether training ends."""


class Plateau:
    """The published schedule: decay and stop by the dev loss, taken once an epoch.

    Parameters
    ----------
    recipe : Published
        The numbers.
    learning_rate : float
        Adam's step at the start.
    steps_per_epoch : int
        Batches in an epoch.
    max_steps : int, optional
        The budget, in place of the recipe's epochs.
    """

    def __init__(
        self, recipe: Published, learning_rate: float, steps_per_epoch: int, max_steps: int | None
    ) -> None:
        self.recipe, self.rate, self.steps_per_epoch = recipe, learning_rate, steps_per_epoch
        self.max_steps = max_steps or recipe.max_epochs * steps_per_epoch
        self.best = self.last_gain = math.inf
        self.stale = 0

    def learning_rate(self, step: int) -> float:
        """Adam's step size, the same throughout an epoch."""
        del step
        return self.rate

    def evaluates_at(self, step: int) -> bool:
        """Whether an epoch, or training, ends with this step."""
        return step % self.steps_per_epoch == 0 or step >= self.max_steps

    def stops_after(self, step: int, dev_loss: float) -> bool:
        """Decay where there is no new best; stop where there was no gain for long."""
        if dev_loss >= self.best:
            self.rate *= self.recipe.decay
        self.best = min(self.best, dev_loss)
        self.stale += 1
        if dev_loss < self.last_gain - self.recipe.min_gain:
            self.last_gain, self.stale = dev_loss, 0
        return self.stale >= self.recipe.patience or step >= self.max_steps


class Cosine:
    """The default schedule: a linear warm-up, then a cosine down to zero.

    Parameters
    ----------
    recipe : Whitened
        The numbers.
    learning_rate : float
        Adam's step at its highest.
    max_steps : int
        Steps in all.
    """

    def __init__(self, recipe: Whitened, learning_rate: float, max_steps: int) -> None:
        self.recipe, self.peak, self.max_steps = recipe, learning_rate, max_steps
        self.warm_up = max(1, round(recipe.warm_up * max_steps))
        self.evaluate_every = max(1, max_steps // recipe.evaluations)

    def learning_rate(self, step: int) -> float:
        """Adam's step size at a step, counted from 1."""
        if step <= self.warm_up:
            return self.peak * step / self.warm_up
        done = (step - self.warm_up) / (self.max_steps + 1 - self.warm_up)
        return self.peak * (1 + math.cos(math.pi * done)) / 2

    def evaluates_at(self, step: int) -> bool:
        """Whether the dev loss is due."""
        return step % self.evaluate_every == 0 or step >= self.max_steps

    def stops_after(self, step: int, dev_loss: float) -> bool:
        """Stop when the steps are used up."""
        del dev_loss
        return step >= self.max_steps


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training run found.

    Attributes
    ----------
    components : Tensor, shape (rank, n_coordinates)
        The components with the lowest dev loss.
    history : list of dict
        One entry an evaluation: ``step``, ``learning_rate``, ``train_loss`` (mean over the
        steps since the last) and ``dev_loss``.
    """

    components: Tensor
    history: list[dict[str, float]]


def train(
    loss: Loss,
    start: Tensor,
    epoch: Callable[[], Iterable[Batch]],
    dev: Sequence[Batch],
    schedule: Schedule,
    on_step: Callable[[int], None] | None = None,
) -> Trained:
    """Minimise a loss with Adam, keeping the parameters with the lowest dev loss.

    Parameters
    ----------
    loss : callable
        ``loss(components, batch, gradient)``, the mean over the batch; fills `gradient`.
    start : Tensor, shape (rank, n_coordinates)
        Where to start; not changed.
    epoch : callable
        Gives the batches of one more epoch.
    dev : sequence of batches
        What the dev loss is taken on, as a mean over sentences.
    schedule : Schedule
        Learning rate, evaluations and the end.
    on_step : callable, optional
        Called after each step with its number.

    Returns
    -------
    Trained
        The best components and the history.

    Raises
    ------
    ProbeError
        A loss is not finite; names the step.
    """
    components, best = start.clone(), start.clone()
    gradient, adam = torch.empty_like(start), Adam(start)
    best_loss, history, recent = math.inf, [], []
    batches, step, stopped = _endless(epoch), 0, False
    while not stopped:
        batch, step = next(batches), step + 1
        rate = schedule.learning_rate(step)
        recent.append(loss(components, batch, gradient))
        adam.step(components, gradient, rate)
        if on_step:
            on_step(step)
        if not schedule.evaluates_at(step):
            continue
        losses = torch.stack(recent)
        dev_loss = mean_loss(loss, components, dev)
        _check_finite(losses, dev_loss, step)
        history.append(
            {
                "step": step,
                "learning_rate": rate,
                "train_loss": float(losses.mean()),
                "dev_loss": dev_loss,
            }
        )
        recent = []
        if dev_loss < best_loss:
            best_loss = dev_loss
            best.copy_(components)
        stopped = schedule.stops_after(step, dev_loss)
    return Trained(best, history)


def mean_loss(loss: Loss, components: Tensor, batches: Sequence[Batch]) -> float:
    """Mean of a loss over the sentences of several batches.

    Parameters
    ----------
    loss : callable
        As for `train`.
    components : Tensor, shape (rank, n_coordinates)
        The parameters.
    batches : sequence of batches
        At least one.

    Returns
    -------
    float
        The mean.
    """
    sums = [loss(components, batch, None).double() * batch.n_sentences for batch in batches]
    return float(torch.stack(sums).sum()) / sum(batch.n_sentences for batch in batches)


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) on one tensor, in place.

    Parameters
    ----------
    like : Tensor
        Gives shape, type and device.
    """

    def __init__(self, like: Tensor, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.mean, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.scratch, self.betas, self.t = torch.empty_like(like), betas, 0

    def step(self, parameters: Tensor, gradient: Tensor, rate: float) -> None:
        """Move the parameters one step.

        Parameters
        ----------
        parameters : Tensor
            Changed in place.
        gradient : Tensor
            The gradient at them.
        rate : float
            The step size.
        """
        beta1, beta2 = self.betas
        self.t += 1
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        torch.sqrt(self.square, out=self.scratch)
        self.scratch.mul_((1 - beta2**self.t) ** -0.5).add_(1e-8)
        parameters.addcdiv_(self.mean, self.scratch, value=-rate / (1 - beta1**self.t))


def _endless(epoch: Callable[[], Iterable[Batch]]) -> Iterator[Batch]:
    """Epoch after epoch."""
    while True:
        yield from epoch()


def _check_finite(losses: Tensor, dev_loss: float, step: int) -> None:
    """Name the first step whose loss was not finite."""
    bad = torch.nonzero(~losses.isfinite().flatten())
    if not len(bad) and math.isfinite(dev_loss):
        return
    where = step - len(losses) + 1 + int(bad[0]) if len(bad) else step
    raise ProbeError(
        f"the loss is no longer finite at step {where}",
        hint="give a smaller learning_rate, or recipe='whitened'",
    )
