"""Train polar probes: several weights of the angles on the same batches, of which dev chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.data.batches import PairBatch, Pool, Vectors, rows_of
from structprobe.probe.data.examples import Examples, Split
from structprobe.probe.losses.polar import PolarLoss, unit_vectors
from structprobe.probe.projecting import predict_polar
from structprobe.probe.training.fit import Task, lay_out_layers, make_candidates, make_task
from structprobe.probe.training.loop import Problem, Stack, train
from structprobe.probe.training.relation_task import arcs_of, heads_of
from structprobe.probe.training.settings import Settings
from structprobe.probe.training.spaces import Space, find_space, moments_of
from structprobe.probe.training.streaming import Streamed, bytes_held, spooled, streams

RECIPE = "axes-mild"
WEIGHTS = (0.1, 0.3, 1.0)
RUNG = 3  # After how many evaluations one weight is chosen
# How much larger components are at first than those of a distance probe. While differences are
# short, small steps turn them a lot, and the angles would drown the distances.
START = 10.0


@dataclass(frozen=True, slots=True)
class FittedPolar:
    """A fitted polar probe, for raw vectors."""

    components: NDArray[np.float32]  # (rank, hidden_size)
    prototypes: NDArray[np.float32]  # (n_classes, rank): unit vectors
    classes: NDArray[np.integer]  # (n_classes,): the numbers of their relations
    root: int  # The number of the relation of roots
    weight: float
    history: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Labels:
    """The relations of both sets by number, and which of them arcs between words have."""

    classes: NDArray[np.integer]  # (n_classes,)
    root: int  # The most frequent relation of roots
    of_dev: NDArray[np.integer]  # (n_dev_words,)
    pools: tuple[Pool, Pool]

    @classmethod
    def of(cls, split: Split, device: torch.device) -> Labels:
        """Find the relations of the training set, and number those of all arcs by them."""
        numbers, is_root = zip(*map(arcs_of, (split.train, split.dev)), strict=True)
        classes = np.unique(numbers[0][~is_root[0]])
        pools = []
        for part, own in zip((split.train, split.dev), numbers, strict=True):
            place = np.minimum(np.searchsorted(classes, own), len(classes) - 1)
            codes = np.where(classes[place] == own, place, -1)
            if not (codes[heads_of(part) > 0] >= 0).any():
                told = "no relation of y_dev is in the training set"
                raise ProbeError(told, hint="pass another dev")
            pools.append(_pool(part, codes, device))
        roots, counts = np.unique(numbers[0][is_root[0]], return_counts=True)
        return cls(classes, int(roots[counts.argmax()]), numbers[1], (pools[0], pools[1]))


def _pool(part: Examples, codes: NDArray[np.integer], device: torch.device) -> Pool:
    """Put distances and arcs on the training device."""
    gold = part.gold["distance"]
    values, heads, relations = (
        torch.from_numpy(some).to(device) for some in (gold.values, heads_of(part), codes)
    )
    told: dict[str, Any] = {"heads": heads, "relations": relations}
    return Pool(part.lengths, values, pairs=True, first_gold=gold.starts, **told)


def fit_polar(
    split: Split,
    settings: Settings,
    seeds: Sequence[SeedSequence],
    weights: Sequence[float] = WEIGHTS,
    on_step: Callable[[int], None] | None = None,
) -> FittedPolar:
    """Find the map with the lowest dev loss, of the weight with the highest LAS on dev."""
    labels = Labels.of(split, settings.device)
    streamed = streams([None], split, settings)
    task = make_task("distance", split, settings, seeds, pools=labels.pools, kept=not streamed)
    bytes_held(
        {None: [settings.rank] * len(weights)}, split, (task.layout, task.dev.layout), settings
    )
    moments = moments_of(split.train, [None], settings)[None]
    space = find_space(task.kind, moments, centred=task.centred)
    width = split.train.layers[None].hidden_size
    (plain,) = make_candidates(task, settings.rank, space, width).problems.values()
    start = plain.start * START
    problems = [Problem(start, plain.schedule, plain.column_rates, plain.decay) for _ in weights]
    with _rows(task, space, streamed=streamed) as (rows, dev_rows):
        stacks = [
            Stack(PolarLoss(weight), [problem], rows(), dev_rows())
            for weight, problem in zip(weights, problems, strict=True)
        ]
        contest = _Contest(task, labels, space, rows())
        train(stacks, task.begin(), task.dev, on_step, contest if len(weights) > 1 else None)
        chosen = contest.chosen
        prototypes = contest.prototypes(problems[chosen].components)
    components = contest.raw(problems[chosen].components)
    told = {f"weight {weight:g}": las for weight, las in zip(weights, contest.las, strict=False)}
    choice = {"chosen": f"weight {weights[chosen]:g}", "las": told} if told else {}
    history = {**choice, "evaluations": problems[chosen].history}
    own = components, prototypes, labels.classes, labels.root, weights[chosen]
    return FittedPolar(*own, history)


@contextmanager
def _rows(
    task: Task, space: Space, *, streamed: bool
) -> Iterator[tuple[Callable[[], Vectors], Callable[[], Vectors]]]:
    """Give the rows of both sets, from memory or from a file; each reader has its own memory."""
    split, settings = task.split, task.settings
    words, dev_words = (part.layers[None] for part in (split.train, split.dev))
    if not streamed:
        laid_out = lay_out_layers(task, {None: space}, words.hidden_size, settings.products)
        yield lambda: laid_out[0][0], lambda: laid_out[1][0]
        return
    told: dict[str, Any] = {"centred": True}
    with (
        spooled(words, space.basis, task.layout, settings.products, **told) as spool,
        spooled(dev_words, space.basis, task.dev.layout, torch.float32, **told) as dev_spool,
    ):
        yield lambda: Streamed(spool, settings.device), lambda: Streamed(dev_spool, settings.device)


class _Contest:
    """Chooses a weight by the LAS on dev of what its components give so far."""

    def __init__(self, task: Task, labels: Labels, space: Space, vectors: Vectors) -> None:
        self.task, self.labels, self.vectors = task, labels, vectors
        assert space.basis is not None
        self.basis = space.basis.cpu()
        self.las: list[float] = []  # Of each weight, when they were compared
        self.chosen = 0

    def __call__(self, going: Sequence[Stack], step: int) -> None:
        """Choose after some evaluations, and end the others."""
        problems = [stack.problems[0] for stack in going]
        if self.las or (len(problems[0].history) < RUNG and not problems[0].ended):
            return
        self.las = [self._las(stack.current[0]) for stack in going]
        self.chosen = int(np.argmax(self.las))
        for place, problem in enumerate(problems):
            problem.ended |= place != self.chosen

    def raw(self, components: Tensor) -> NDArray[np.float32]:
        """Turn components to those of raw vectors."""
        # components (rank, width) -> (rank, hidden_size)
        return (components[:, : len(self.basis)].cpu().double() @ self.basis).float().numpy()

    def prototypes(self, components: Tensor) -> NDArray[np.float32]:
        """Find the mean direction of the arcs of each relation in the training set."""
        # components (rank, width) -> (n_classes, rank)
        sums = components.new_zeros(len(self.labels.classes), len(components))
        for batch in self.task.begin()():
            assert isinstance(batch, PairBatch)
            if (arcs := batch.arcs) is None:
                continue
            projected = rows_of(self.vectors, batch.rows).to(components.dtype) @ components.T
            differences = projected[arcs.dependents] - projected[arcs.heads]
            sums.index_add_(0, arcs.relations, unit_vectors(differences)[0])
        return unit_vectors(sums)[0].cpu().numpy()

    def _las(self, components: Tensor) -> float:
        """Score labelled trees of the dev set, over all words."""
        # components (rank, width)
        dev = self.task.split.dev
        found = predict_polar(dev.layers[None], self.raw(components), self.prototypes(components))
        heads, codes = np.concatenate(found.heads), np.concatenate(found.codes)
        numbers = np.where(codes < 0, self.labels.root, self.labels.classes[codes])
        right = (heads == heads_of(dev)) & (numbers == self.labels.of_dev)
        return float(right.mean())
