"""Fit many probes on one set of trees together: layers, ranks and seeds, as memory allows.

A lone probe is the special case of one. Probes of one seed share their batches; gold values are
made once; what a layer's vectors must be known for is summed up once for all probes on it.

On the CPU a layer's distances and its depths are two pieces of work. A step of training is two
large products and some twenty small operations, and the small ones gain nothing from threads: a
second core that waits for them is lost. So each piece gets one core where there are enough of them
to keep all cores busy, and a share of the cores where there are not.
"""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import KINDS, Examples, read_sets, split
from structprobe.probe.data.inputs import origin_of, pick_layers
from structprobe.probe.data.whitening import Moments
from structprobe.probe.training.fit import FittedMatrix, Task, fit_kind, make_task, moments_of
from structprobe.probe.training.settings import (
    Settings,
    read_fraction,
    read_generator,
    read_settings,
    spawn_seeds,
)
from structprobe.probe.training.streaming import bytes_held, bytes_of_layer, streams
from structprobe.probe.types import Layer, Origin, TreesLike, VectorsByLayer
from structprobe.progress import progress_bar

# Hyperparameters in which probes that are fitted together may differ.
OWN = ("rank", "random_state", "verbose")

# A layer, and the hyperparameters of a probe to be fitted on it.
Job = tuple[Layer, Mapping[str, Any]]

T = TypeVar("T")
Goes = Callable[[], None]


class Abandoned(Exception):  # noqa: N818 -- it is no error
    """Ends a piece of work whose result is wanted no more."""


@dataclass(frozen=True, slots=True)
class FittedProbe:
    """What the fit of one probe found."""

    matrices: Mapping[str, FittedMatrix]  # By `KINDS`
    history: dict[str, Any]  # As `StructuralProbe.history_`
    n_features: int  # The width of the vectors
    origin: Origin  # Where they came from
    treebank_fingerprint: str | None
    held_out: NDArray[np.int64] | None  # The training sentences that served as dev set, if any


@dataclass(slots=True)
class _LazyMoments:
    """The moments of some layers, summed up at their first use and dropped after the last."""

    make: Callable[[], dict[Layer, Moments]]
    users: int
    value: dict[Layer, Moments] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> dict[Layer, Moments]:
        """Give them to one of the users."""
        with self.lock:
            value = self.make() if self.value is None else self.value
            self.users -= 1
            self.value = value if self.users else None
        return value


@dataclass(frozen=True, slots=True)
class _Piece:
    """The probes of one kind and seed on some layers: one piece of work."""

    task: Task
    places: Sequence[int]  # Of their jobs
    ranks: Mapping[Layer, Sequence[int]]
    moments: _LazyMoments

    @property
    def n_bytes(self) -> int:
        """The bytes of vectors that it holds."""
        task, batches = self.task, self.task.batches
        layouts = batches.layout, batches.dev.layout
        return bytes_held(self.ranks, task.split.train, task.split.dev, layouts, task.settings)

    def __call__(
        self, advance: Callable[[int], None], goes: Goes
    ) -> dict[tuple[Layer, int], FittedMatrix]:
        """Find the matrices."""
        done = 0

        def on_step(step: int) -> None:
            nonlocal done
            goes()
            advance(1)
            done = step

        found = fit_kind(self.task, self.ranks, self.moments.take(), on_step)
        advance(self.task.batches.max_steps - done)
        return found


def fit_jointly(
    jobs: Sequence[Job],
    X: VectorsByLayer,
    y: TreesLike,
    *,
    dev: tuple[VectorsByLayer, TreesLike] | None = None,
) -> Iterator[dict[int, FittedProbe]]:
    """Fit probes on several layers of the same sentences; give what is found by its job's place."""
    whole, whole_dev = read_sets(X, y, dev)
    settings, ranks = _settings(jobs, whole)
    layers = list(dict.fromkeys(layer for layer, _ in jobs))
    groups = [[layer] for layer in layers]
    if stacks_layers(settings.device):
        groups = layer_groups(layers, whole, whole_dev, settings)
    pieces = _pieces(jobs, ranks, groups, (whole, whole_dev), settings)
    n_workers = _n_workers(pieces, settings)
    label = "probe" if len(layers) == 1 else f"probes of {len(layers)} layers"
    n_steps = sum(piece.task.batches.max_steps for piece in pieces)
    found: dict[str, dict[tuple[Layer, int], FittedMatrix]] = {}
    shown = None if any(parameters["verbose"] for _, parameters in jobs) else False
    with progress_bar(label, n_steps, "step", shown=shown) as advance:
        results = side_by_side([partial(piece, advance) for piece in pieces], n_workers)
        for piece, result in zip(pieces, results, strict=True):
            found[piece.task.kind] = result
            if len(found) < len(KINDS):
                continue
            fitted = {}
            for place in piece.places:
                layer, parameters = jobs[place]
                own = {kind: some[layer, ranks[place]] for kind, some in found.items()}
                fitted[place] = FittedProbe(
                    own,
                    _history(parameters, own, piece.task),
                    whole.layers[layer].hidden_size,
                    origin_of(X[layer]),
                    getattr(y, "fingerprint", None),
                    piece.task.split.held_out,
                )
            found = {}
            yield fitted


def stacks_layers(device: torch.device) -> bool:
    """Whether layers are put into one product; on the CPU each has a core of its own."""
    return device.type != "cpu"


def most_at_once(device: torch.device) -> int:
    """Give how many fits there are side by side at most."""
    return 1 if stacks_layers(device) else torch.get_num_threads()


def layer_groups(
    layers: Sequence[Layer],
    train_set: Examples,
    dev_set: Examples | None,
    settings: Settings,
) -> list[list[Layer]]:
    """Cut layers into groups whose vectors fit into memory at once; layers of one width.

    A layer that does not fit is a group by itself.
    """
    groups: list[list[Layer]] = []
    left, width = 0.0, 0
    for layer in dict.fromkeys(layers):
        own = train_set.layers[layer].hidden_size
        size = bytes_of_layer(layer, train_set, dev_set, settings)
        left -= size
        if left < 0 or own != width:
            groups.append([])
            left, width = settings.memory_gb * 1e9 - size, own
        groups[-1].append(layer)
    return groups


def side_by_side(pieces: Sequence[Callable[[Goes], T]], n_workers: int) -> Iterator[T]:
    """Do pieces of work, some at a time, and give their results in order."""
    if n_workers <= 1:
        for piece in pieces:
            yield piece(lambda: None)
        return
    n_threads, abandoned = torch.get_num_threads(), threading.Event()

    def goes() -> None:
        if abandoned.is_set():
            raise Abandoned

    pool = ThreadPoolExecutor(
        n_workers, "structprobe", torch.set_num_threads, (max(1, n_threads // n_workers),)
    )
    try:
        futures: list[Future[T]] = [pool.submit(piece, goes) for piece in pieces]
        for future in futures:
            yield future.result()
    finally:
        abandoned.set()
        pool.shutdown(cancel_futures=True)
        # else threads that are yet to come take the workers' share
        torch.set_num_threads(n_threads)


def _n_workers(pieces: Sequence[_Piece], settings: Settings) -> int:
    """Give how many fits there are side by side: by the cores, and by the memory."""
    in_memory = settings.memory_gb * 1e9 / max(piece.n_bytes for piece in pieces)
    return max(1, int(min(most_at_once(settings.device), len(pieces), in_memory)))


def _pieces(
    jobs: Sequence[Job],
    ranks: Sequence[int],
    groups: Sequence[Sequence[Layer]],
    sets: tuple[Examples, Examples | None],
    settings: Settings,
) -> list[_Piece]:
    """Cut the work into pieces; the kinds of one seed and group of layers follow each other."""
    pieces: list[_Piece] = []
    by_kind: dict[Layer, list[Task]] = {}
    whole, whole_dev = sets
    for layers in groups:
        by_seed = _by_seed(jobs, [i for i, (layer, _) in enumerate(jobs) if layer in layers])
        # Where sentences are held out, what is left to learn from differs by seed.
        shared = _LazyMoments(
            partial(moments_of, whole, layers, settings), len(KINDS) * len(by_seed)
        )
        for seed, own in by_seed.items():
            if seed not in by_kind:
                by_kind[seed] = _tasks(jobs[own[0]][1], whole, whole_dev, settings)
            tasks, wanted = by_kind[seed], _ranks_by_layer(jobs, ranks, own)
            if whole_dev is None:
                train_set = tasks[0].split.train
                shared = _LazyMoments(partial(moments_of, train_set, layers, settings), len(KINDS))
            pieces += [_Piece(task, own, wanted, shared) for task in tasks]
    return pieces


def _tasks(
    parameters: Mapping[str, Any], whole: Examples, whole_dev: Examples | None, settings: Settings
) -> list[Task]:
    """Hold sentences out where there is no dev set, and compose the batches of both kinds."""
    generator = read_generator(parameters["random_state"])
    parts = split(whole, whole_dev, read_fraction(parameters["validation_fraction"]), generator)
    seeds = spawn_seeds(generator, 2 * len(KINDS))
    kept = not all(streams([layer], parts.train, parts.dev, settings) for layer in whole.layers)
    return [
        make_task(kind, parts, settings, seeds[2 * i : 2 * i + 2], kept=kept)
        for i, kind in enumerate(KINDS)
    ]


def _history(
    parameters: Mapping[str, Any], found: Mapping[str, FittedMatrix], task: Task
) -> dict[str, Any]:
    """Put the course of both fits into plain values."""
    return {
        "recipe": parameters["recipe"],
        "device": str(task.settings.device),
        "n_train": len(task.split.train.lengths),
        "n_dev": len(task.split.dev.lengths),
        **{kind: found[kind].history for kind in KINDS},
    }


def _settings(jobs: Sequence[Job], train_set: Examples) -> tuple[Settings, list[int]]:
    """Check the hyperparameters: what all probes share, and the rank of each."""
    if not jobs:
        raise ProbeError("there is no probe to fit")
    pick_layers(train_set.layers, [layer for layer, _ in jobs])
    first, ranks = jobs[0][1], []
    for layer, parameters in jobs:
        differing = [
            name for name in parameters if name not in OWN and parameters[name] != first[name]
        ]
        if differing:
            raise ProbeError(
                f"probes that are fitted together differ in {differing[0]}",
                hint=f"they may differ in {', '.join(OWN)}",
            )
        settings = read_settings(parameters, train_set.layers[layer].hidden_size)
        ranks.append(settings.rank)
    return settings, ranks


def _by_seed(jobs: Sequence[Job], places: Sequence[int]) -> dict[Layer, list[int]]:
    """Put jobs with the same number for their random state together; others stay alone."""
    groups: dict[Layer, list[int]] = {}
    for place in places:
        state = jobs[place][1]["random_state"]
        seed = int(state) if isinstance(state, numbers.Integral) else ("job", place)
        groups.setdefault(seed, []).append(place)
    return groups


def _ranks_by_layer(
    jobs: Sequence[Job], ranks: Sequence[int], places: Sequence[int]
) -> dict[Layer, list[int]]:
    """Give the ranks that are wanted on each layer, each once."""
    wanted: dict[Layer, list[int]] = {}
    for place in places:
        own = wanted.setdefault(jobs[place][0], [])
        if ranks[place] not in own:
            own.append(ranks[place])
    return wanted
