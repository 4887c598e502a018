"""Candidates for a matrix, of which the best on the dev set is chosen and scaled to it.

All are trained on the same batches. The worse half leaves after some of the evaluations (successive
halving; Jamieson and Talwalkar 2016), so that the losers cost little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from structprobe.probe.data.batches import Batch, Block, PairBatch
from structprobe.probe.losses.geometries import Geometry
from structprobe.probe.losses.geometry import squared_depths
from structprobe.probe.training.loop import Problem, Stack
from structprobe.trees.spanning import spanning_trees


@dataclass(frozen=True, slots=True)
class DevScore:
    """How good components are on the dev set if what they predict is multiplied by a factor."""

    step: int
    uuas: float | None  # Of the minimum spanning trees over all words; None if there is no edge
    loss: float
    factor: float = 1.0


@dataclass(slots=True)
class Candidates:
    """Problems for the same matrix, by the name of each."""

    problems: Mapping[str, Problem]
    scores: dict[str, DevScore] = field(init=False, default_factory=dict)  # The last of each
    chosen: str = field(init=False)

    def __post_init__(self) -> None:
        self.chosen = next(iter(self.problems))

    def compare(
        self, scores: Mapping[int, DevScore], select: str, margin: float, *, last: bool
    ) -> None:
        """Drop the worse half of those with a score, by the id of their problem, or choose."""
        own = {name: scores[id(p)] for name, p in self.problems.items() if id(p) in scores}
        self.scores |= own
        order = from_the_best(own, select, margin)
        self.chosen = order[0]
        for name in [] if last else order[-(-len(order) // 2) :]:
            self.problems[name].ended = True

    def history(self) -> dict[str, Any]:
        """Tell what was chosen, and by which scores."""
        told = {name: asdict(score) for name, score in self.scores.items()}
        return {"chosen": self.chosen, "candidates": told}


@dataclass(frozen=True, slots=True)
class Contest:
    """Compares candidates on the dev set, drops the worse half at each rung, and chooses."""

    groups: Sequence[Candidates]
    dev: Iterable[Batch]
    rungs: Sequence[int]  # After how many evaluations
    select: str  # One of `settings.SELECT`
    margin: float  # As of `TreeAxes`
    scaled: bool  # Whether a factor is found: not where the scale has a meaning
    geometry: Geometry  # Of the distances

    def __call__(self, stacks: Sequence[Stack], step: int) -> None:
        """Compare the candidates in some stacks, after an evaluation."""
        problems = [problem for stack in stacks for problem in stack.problems]
        last = all(problem.ended for problem in problems)
        if not last and len(problems[0].history) not in self.rungs:
            return
        scores = {}
        for stack in stacks:
            for place, problem in enumerate(stack.problems):
                components = problem.components if last else stack.current[place]
                score = self._score(components, stack, place)
                told = problem.kept if last else problem.history[-1]
                if not self.scaled:
                    score = replace(score, factor=1.0, loss=told["dev_loss"])
                scores[id(problem)] = replace(score, step=int(told["step"]))
        for group in self.groups:
            group.compare(scores, self.select, self.margin, last=last)

    def _score(self, components: Tensor, stack: Stack, place: int) -> DevScore:
        """Score the components of one problem of a stack."""
        # components (rank, width)
        rows_of = partial(stack.dev_rows, place=place)
        return dev_score(components, rows_of, self.dev, self.geometry)


def from_the_best(scores: Mapping[str, DevScore], select: str, margin: float) -> list[str]:
    """Order names by their scores; of those as good as the best in UUAS, by the loss."""
    uuas = {name: one.uuas or 0.0 for name, one in scores.items()}
    highest = max(uuas.values())

    def place(name: str) -> tuple[bool, float, float]:
        behind = select == "uuas" and uuas[name] < highest - margin
        return behind, -uuas[name] if behind else 0.0, scores[name].loss

    return sorted(scores, key=place)


def dev_score(
    components: Tensor,
    rows_of: Callable[[Batch], Tensor],
    dev: Iterable[Batch],
    geometry: Geometry,
) -> DevScore:
    """Score components on the dev set, with the factor of the lowest absolute error."""
    # components (rank, width), rows_of (batch) -> (m, width)
    parts: tuple[list[Tensor], ...] = ([], [], [])  # predicted, gold, weights
    found = edges = n_sentences = 0
    for batch in dev:
        projected = rows_of(batch) @ components.mT
        n_sentences += batch.n_sentences
        own = [squared_depths(projected), batch.gold, batch.weights]
        if isinstance(batch, PairBatch):
            blocks = [_distances(batch, block, projected, geometry) for block in batch.blocks]
            cells = zip(*blocks, strict=True)
            own = [torch.cat([some.flatten() for some in part]) for part in cells]
            counts = [_count_edges(*block) for block in blocks]
            found, edges = found + sum(n for n, _ in counts), edges + sum(n for _, n in counts)
        own[2] = own[2] * batch.n_sentences
        for part, values in zip(parts, own, strict=True):
            part.append(values.cpu())
    predicted, gold, weights = (torch.cat(part).double() for part in parts)
    factor = best_factor(predicted, gold, weights)
    loss = float((weights * (factor * predicted - gold).abs()).sum()) / n_sentences
    return DevScore(0, found / edges if edges else None, loss, factor)


def best_factor(predicted: Tensor, gold: Tensor, weights: Tensor) -> float:
    """Find the factor of predicted values with the lowest weighted absolute error."""
    # each (n,)
    # The error is a sum of |factor - ratio|: its minimum is the weighted median of the ratios.
    # Distances of some geometries may be negative, and so may the median; it is no factor then.
    shares = predicted.abs() * weights
    known = shares > 0
    if not known.any():
        return 1.0
    ratios, order = torch.sort(gold[known] / predicted[known])
    sums = shares[known][order].cumsum(0)
    found = float(ratios[torch.searchsorted(sums, sums[-1] / 2)])
    return found if found > 0 else 1.0


def _distances(
    batch: PairBatch, block: Block, projected: Tensor, geometry: Geometry
) -> tuple[Tensor, Tensor, Tensor]:
    """Give the predicted and the gold distances of a block, with their weights."""
    # projected (m, rank) -> (b, n, n) each
    words = torch.unflatten(projected[block.rows], 0, (block.n_sentences, block.n_words))
    predicted = geometry.measure(words)[0].cpu()
    gold, weights = batch.gold[block.cells].cpu(), batch.weights[block.cells].cpu()
    return predicted, gold.view_as(predicted), weights.view_as(predicted)


def _count_edges(predicted: Tensor, gold: Tensor, weights: Tensor) -> tuple[int, int]:
    """Count the edges of the minimum spanning trees: those that are gold, and all."""
    # each (b, n, n)
    lengths = (weights[:, 0] > 0).sum(-1).numpy()  # (b,)
    heads = spanning_trees(predicted.numpy(), lengths, np.zeros_like(lengths))  # (b, n)
    sentence, word = np.nonzero(heads > 0)
    near = gold.numpy()[sentence, word, heads[sentence, word] - 1]
    return int((near == 1).sum()), len(near)
