"""The engine on problems whose answer is known, its schedules by hand, and its refusals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import WordBatch, rows_of
from structprobe.probe.losses.geometry import depth_loss
from structprobe.probe.training.loop import (
    Adam,
    Cosine,
    Plateau,
    Problem,
    Schedule,
    Stack,
    mean_loss,
    train,
)
from structprobe.probe.training.recipes import RECIPES, Published, Whitened

VECTORS = torch.ones(4, 1)


def word_batch(*depths: float) -> WordBatch:
    """One-word sentences at 1 on a line, with their depths: the best component is sqrt(depth)."""
    n = len(depths)
    return WordBatch(slice(0, n), torch.tensor(depths), torch.full((n,), 1 / n), n)


def solve(
    start: Tensor,
    epoch: Callable[[], Iterable[WordBatch]],
    dev: list[WordBatch],
    schedule: Schedule,
    on_step: Callable[[int], None] | None = None,
) -> Problem:
    """Train one problem alone."""
    problem = Problem(start, schedule)
    train([Stack(depth_loss, [problem], VECTORS, VECTORS)], epoch, dev, on_step)
    return problem


def mean_of(components: torch.Tensor, batches: list[WordBatch]) -> float:
    """The mean of the depth loss on the vectors here."""
    return mean_loss(
        lambda batch: depth_loss(components, rows_of(VECTORS, batch.rows), batch), batches
    ).item()


def test_adam_is_that_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    theirs = ours.clone().requires_grad_()
    adam, optimiser = Adam(ours), torch.optim.Adam([theirs], lr=0.1)
    for step in range(1, 8):
        gradient = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        optimiser.param_groups[0]["lr"] = rate = 0.1 / step
        theirs.grad = gradient
        optimiser.step()
        adam.step(ours, gradient, rate)
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-12)


def test_plateau_decays_without_a_best_and_stops_without_a_gain() -> None:
    schedule = Plateau(Published(min_gain=0.1, patience=3, decay=0.5), 8.0, 10, None)
    assert [step for step in range(1, 31) if schedule.evaluates_at(step)] == [10, 20, 30]
    # dev loss, learning rate after it, whether training stops. 0.95 is a new best, yet no gain.
    course = [
        (1.0, 8, False),
        (0.95, 8, False),
        (0.97, 4, False),
        (0.8, 4, False),
        (0.8, 2, False),
        (0.75, 2, False),
        (0.9, 1, True),
    ]
    for epoch, (dev_loss, rate, stops) in enumerate(course, 1):
        assert schedule.stops_after(10 * epoch, dev_loss) is stops
        assert schedule.learning_rate(10 * epoch + 1) == rate


DEV_LOSSES = {
    "falls, stays, rises": [1.0, 0.9, 0.9, 0.89995, 0.8, 0.85, 0.79, 0.5, 0.6, 0.7],
    "less than a share of 1e-4": [2.0, 1.9999, 1.99975, 1.9, 1.89985, 1.8],
    "gains below 1e-4 add up": [1.0 - 5e-5 * epoch for epoch in range(12)],
    "a share that is no gain": [0.5, 0.49994, 0.49988, 0.4998, 0.4997, 0.4, 0.3],
    "a rate that can fall no more": [1.0] + [1.1, 0.9, 1.1, 0.8, 1.1, 0.7] * 4,
    "random": (1 + 0.3 * np.random.default_rng(0).normal(size=40)).tolist(),
    "slow": (0.5 + 0.5 * np.exp(-np.arange(40) / 4)).tolist(),
}


def by_the_authors(dev_losses: list[float], rate: float) -> tuple[list[float], int]:
    """The rates after each epoch till training stops, and the epoch whose weights are kept.

    The learning rate is torch's own scheduler's; weights are kept and training stops by the rule of
    the authors' code, written here in our own words.
    """
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=0)
    lowest, kept, rates = math.inf, -1, []
    for epoch, loss in enumerate(dev_losses):
        optimiser.step()
        scheduler.step(loss)
        rates.append(optimiser.param_groups[0]["lr"])
        if loss < lowest - 0.0001:
            lowest, kept = loss, epoch
        elif kept < epoch - 4:
            break
    return rates, kept


@pytest.mark.parametrize("dev_losses", DEV_LOSSES.values(), ids=DEV_LOSSES)
@pytest.mark.parametrize("rate", [1e-3, 1e-7])
def test_the_published_schedule_is_that_of_torch_and_the_authors(
    dev_losses: list[float], rate: float
) -> None:
    recipe = RECIPES["published"]
    assert isinstance(recipe, Published)
    problem = Problem(torch.zeros(1, 1), Plateau(recipe, rate, 1, None))
    rates = []
    for epoch, loss in enumerate(dev_losses, 1):
        ends = problem.note(epoch, torch.ones(1), loss, torch.full((1, 1), float(epoch)))
        rates.append(problem.schedule.learning_rate(epoch + 1))
        if ends:
            break
    expected, kept = by_the_authors(dev_losses, rate)
    assert rates == expected
    assert problem.kept["step"] == kept + 1
    assert problem.components.item() == kept + 1


def test_plateau_ends_at_its_budget() -> None:
    schedule = Plateau(Published(max_epochs=3), 1.0, 10, None)
    assert schedule.max_steps == 30
    assert [schedule.stops_after(step, 1 / step) for step in (10, 20, 30)] == [False, False, True]
    bounded = Plateau(Published(), 1.0, 10, 15)
    assert bounded.evaluates_at(15)
    assert bounded.stops_after(15, 1.0)


def test_cosine_rises_falls_and_ends() -> None:
    schedule = Cosine(Whitened(warm_up=0.1, evaluations=2), 2.0, 105)
    assert schedule.learning_rate(1) == pytest.approx(0.2)
    assert schedule.learning_rate(10) == 2.0
    assert schedule.learning_rate(55) == pytest.approx(1 + math.cos(math.pi * 45 / 96))
    assert 0 < schedule.learning_rate(105) < 0.001
    assert [step for step in range(1, 106) if schedule.evaluates_at(step)] == [52, 104, 105]
    assert not schedule.stops_after(104, 1.0)
    assert schedule.stops_after(105, 1.0)


@pytest.mark.parametrize(("max_steps", "steps"), [(2000, range(200, 2001, 200)), (3, [1, 2, 3])])
def test_a_run_looks_ten_times_at_the_dev_loss_however_short(
    max_steps: int, steps: Iterable[int]
) -> None:
    schedule = Cosine(Whitened(), 0.1, max_steps)
    looks = [step for step in range(1, max_steps + 1) if schedule.evaluates_at(step)]
    assert looks == list(steps)


def test_training_finds_the_square_root_of_the_depth() -> None:
    batch, seen = word_batch(4.0), []
    found = solve(
        torch.full((1, 1), 0.5),
        lambda: [batch],
        [batch],
        Cosine(Whitened(evaluations=3), 0.1, 300),
        seen.append,
    )
    assert found.components.item() == pytest.approx(2, abs=1e-3)
    assert [entry["step"] for entry in found.history] == [100, 200, 300]
    assert found.history[-1]["dev_loss"] < 0.01
    assert seen == list(range(1, 301))


def test_the_best_components_are_kept_and_the_start_is_not_touched() -> None:
    # Training pulls towards depth 9; the dev set wants 4, so the best is passed on the way.
    start = torch.full((1, 1), 1.0)
    train_batch, dev_batch = word_batch(9.0), word_batch(4.0)
    schedule = Cosine(Whitened(evaluations=200), 0.05, 200)
    found = solve(start, lambda: [train_batch], [dev_batch], schedule)
    best = min(entry["dev_loss"] for entry in found.history)
    assert mean_of(found.components, [dev_batch]) == pytest.approx(best)
    assert found.components.item() == pytest.approx(2, abs=0.05)
    assert found.history[-1]["dev_loss"] > 4
    assert start.item() == 1


def test_train_loss_is_the_mean_of_the_steps_since_the_last_evaluation() -> None:
    batches = [word_batch(2.0), word_batch(5.0)]
    schedule = Cosine(Whitened(evaluations=2), 1e-12, 4)
    found = solve(torch.ones(1, 1), lambda: batches, batches, schedule)
    assert [entry["train_loss"] for entry in found.history] == pytest.approx([2.5, 2.5])


def test_mean_loss_weighs_batches_by_their_sentences() -> None:
    # Depth 1 is predicted: off by 1, 1 and 4.
    batches = [word_batch(2.0, 2.0), word_batch(5.0)]
    assert mean_of(torch.ones(1, 1), batches) == pytest.approx(2)


@pytest.mark.fault_class("non-finite")
def test_a_loss_that_is_not_finite_stops_with_its_step() -> None:
    def epoch() -> Iterator[WordBatch]:
        yield from [word_batch(1.0)] * 6
        yield word_batch(math.nan)

    schedule = Cosine(Whitened(evaluations=20), 0.1, 100)
    with pytest.raises(ProbeError, match=r"no longer finite at step 7; .*learning_rate"):
        solve(torch.ones(1, 1), epoch, [word_batch(1.0)], schedule)


@pytest.mark.fault_class("non-finite")
def test_a_dev_loss_that_is_not_finite_stops_too() -> None:
    schedule = Cosine(Whitened(evaluations=20), 0.1, 100)
    with pytest.raises(ProbeError, match="no longer finite at step 5"):
        solve(
            torch.ones(1, 1),
            lambda: [word_batch(1.0)],
            [word_batch(math.inf)],
            schedule,
        )


def stacked(*problems: Problem) -> Stack:
    """Put problems along one axis, each on vectors of its own: all ones."""
    vectors = torch.ones(len(problems), 4, 1)
    return Stack(depth_loss, list(problems), vectors, vectors)


def test_stacked_problems_are_solved_as_if_alone_and_leave_when_they_are_done() -> None:
    # The plateaus differ in patience, so that the problems stop at different times; the first
    # of the three also has a learning rate of its own.
    batches, dev = [word_batch(4.0), word_batch(9.0)], [word_batch(6.0)]

    def problems() -> list[Problem]:
        return [
            Problem(
                torch.full((1, 1), start),
                Plateau(Published(patience=patience, max_epochs=9, decay=0.5), rate, 2, None),
            )
            for start, patience, rate in [(0.5, 1, 0.3), (1.0, 9, 0.1), (2.5, 2, 0.1)]
        ]

    together, sizes = problems(), []
    stack = stacked(*together)
    train([stack], lambda: batches, dev, lambda _: sizes.append(len(stack.problems)))
    assert sorted(set(sizes)) == [1, 2, 3]
    for alone, found in zip(problems(), together, strict=True):
        train([Stack(depth_loss, [alone], VECTORS, VECTORS)], lambda: batches, dev)
        assert [entry["step"] for entry in found.history] == [e["step"] for e in alone.history]
        for entry, expected in zip(found.history, alone.history, strict=True):
            assert entry == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(found.components, alone.components)


def test_stacks_take_the_same_batches() -> None:
    schedules = [Cosine(Whitened(evaluations=steps // 5), 0.1, steps) for steps in (10, 20)]
    found = [Problem(torch.full((1, 1), 0.5), schedule) for schedule in schedules]
    stacks = [Stack(depth_loss, [problem], VECTORS, VECTORS) for problem in found]
    seen: list[int] = []
    train(stacks, lambda: [word_batch(4.0)], [word_batch(4.0)], seen.append)
    assert [[entry["step"] for entry in one.history] for one in found] == [
        [5, 10],
        [5, 10, 15, 20],
    ]
    assert len(seen) == 20


def test_the_published_numbers() -> None:
    assert RECIPES["published"] == Published(
        start=0.05,
        batch_size=20,
        learning_rate=0.001,
        decay=0.1,
        min_gain=1e-4,
        patience=5,
        max_epochs=40,
    )
