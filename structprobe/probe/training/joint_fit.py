"""Fit many probes on the same trees together: layers, ranks and seeds, as memory allows.

Fitting a single probe is a special case. Probes with the same seed share their batches; gold values
are computed once, and the moments of a layer's vectors once for all probes on it.

On the CPU, the distance probes and the depth probes of a layer are two tasks. A training step is
two large products and some twenty small operations, which gain nothing from threads: a second core
would only wait for them. So each task runs on one core if there are enough tasks to keep all cores
busy, and on a share of the cores otherwise.
"""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import KINDS, RELATION, Examples, read_sets
from structprobe.probe.data.inputs import origin_of, pick_layers, treebank_name
from structprobe.probe.data.relation_labels import Labels, with_relations
from structprobe.probe.data.whitening import Moments, SharedMoments
from structprobe.probe.training.fit import (
    FittedMatrix,
    Task,
    fit_kind,
    fit_relations,
    make_task,
)
from structprobe.probe.training.parallel import Goes, side_by_side
from structprobe.probe.training.recipes import Published
from structprobe.probe.training.relation_task import FittedRelations
from structprobe.probe.training.settings import Settings, read_settings, read_split, spawn_seeds
from structprobe.probe.training.spaces import moments_of
from structprobe.probe.training.streaming import bytes_held, bytes_of_layer, streams
from structprobe.probe.types import (
    DevByLayer,
    Layer,
    Origin,
    TreesLike,
    VectorsByLayer,
    WordVectorsLike,
)
from structprobe.progress import progress_bar

# Hyperparameters that may differ between probes that are fitted together.
OWN = ("rank", "random_state", "verbose")

# A layer, and the hyperparameters of a probe on it.
Job = tuple[Layer, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class FittedProbe:
    """The result of fitting one probe."""

    matrices: Mapping[str, FittedMatrix]  # By `KINDS`
    history: dict[str, Any]  # As `StructuralProbe.history_`
    n_features: int  # hidden_size
    origin: Origin  # Of the vectors
    treebank_fingerprint: str | None
    held_out: NDArray[np.int64] | None  # The training sentences used as dev set, if any
    relations: FittedRelations | None = None
    names: Labels | None = None  # Of all relations, by number

    def dev_part(
        self, layer: Layer, X: VectorsByLayer, y: TreesLike, dev: DevByLayer
    ) -> tuple[WordVectorsLike, TreesLike]:
        """Take the vectors and trees of the dev set, or of the sentences that were held out."""
        vectors, trees = (X, y) if dev is None else dev
        given = vectors[layer]
        if self.held_out is None:
            return given, trees
        rows, own = [*given], [*trees]  # a column of a table is not indexed by place
        return [rows[i] for i in self.held_out], [own[i] for i in self.held_out]


@dataclass(slots=True)
class _LazyMoments:
    """The moments of some layers, computed at their first use and dropped after the last."""

    make: Callable[[], dict[Layer, Moments]]
    users: int
    value: dict[Layer, Moments] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> dict[Layer, Moments]:
        """Give the moments to one of the users."""
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
        """The bytes of vectors that it holds in memory."""
        layouts = self.task.layout, self.task.dev.layout
        return bytes_held(self.ranks, self.task.split, layouts, self.task.settings)

    def __call__(self, advance: Callable[[int], None], goes: Goes) -> dict[Any, Any]:
        """Find the matrices of each layer and rank, or what reads the relations of each layer."""

        def on_step(_: int) -> None:
            goes()
            advance(1)

        found: dict[Any, FittedMatrix | FittedRelations]
        given = self.task, self.ranks, self.moments.take(), on_step
        found = {**(fit_kind(*given) if self.task.form is None else fit_relations(*given))}
        advance(self.task.max_steps - max(one.history["steps"] for one in found.values()))
        return found


def fit_jointly(
    jobs: Sequence[Job],
    X: VectorsByLayer,
    y: TreesLike,
    *,
    dev: DevByLayer = None,
    moments: SharedMoments | None = None,
) -> Iterator[dict[int, FittedProbe]]:
    """Fit probes on several layers of the same sentences; give results by the index of the job.

    Moments may be shared with fits on other trees of the same sentences.
    """
    sets, names = read_sets(X, y, dev), None
    settings, ranks = _settings(jobs, sets[0])
    if settings.reads is not None:
        subtypes = jobs[0][1]["subtypes"]
        sets, names = with_relations(sets, (y, dev and dev[1]), subtypes=subtypes)
    kinds = KINDS if names is None else (*KINDS, RELATION)
    whole, whole_dev = sets
    layers = list(dict.fromkeys(layer for layer, _ in jobs))
    groups = [[layer] for layer in layers]
    if stacks_layers(settings.device):
        groups = layer_groups(layers, whole, whole_dev, settings)
    pieces = _pieces(jobs, ranks, groups, (whole, whole_dev), settings, moments)
    in_memory = int(settings.memory_gb * 1e9 / max(piece.n_bytes for piece in pieces))
    n_workers = max(1, min(most_at_once(settings.device), len(pieces), in_memory))
    label = "probe" if len(layers) == 1 else f"probes of {len(layers)} layers"
    n_steps = sum(piece.task.max_steps for piece in pieces)
    found: dict[str, dict[Any, Any]] = {}
    shown = None if any(parameters["verbose"] for _, parameters in jobs) else False
    with progress_bar(label, n_steps, "step", shown=shown) as advance:
        results = side_by_side([partial(piece, advance) for piece in pieces], n_workers)
        for piece, result in zip(pieces, results, strict=True):
            found[piece.task.kind] = result
            if len(found) < len(kinds):
                continue
            fitted = {}
            for place in piece.places:
                layer, parameters = jobs[place]
                own = {kind: found[kind][layer, ranks[place]] for kind in KINDS}
                relations = found[RELATION][layer] if RELATION in kinds else None
                held_out = piece.task.split.held_out
                history = {
                    "recipe": parameters["recipe"],
                    "device": str(settings.device),
                    "treebank": treebank_name(y),
                    "n_train": len(piece.task.split.train.lengths),
                    "n_dev": len(piece.task.split.dev.lengths),
                    **({} if held_out is None else {"held_out": held_out.tolist()}),
                    **{kind: own[kind].history for kind in KINDS},
                    **({} if relations is None else {RELATION: relations.history}),
                    **_choice(own["distance"].history),
                }
                width, origin = whole.layers[layer].hidden_size, origin_of(X[layer])
                known = width, origin, getattr(y, "fingerprint", None), held_out
                fitted[place] = FittedProbe(own, history, *known, relations, names)
            found = {}
            yield fitted


def _choice(history: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what the recipe chose, if it had a choice."""
    return {"chosen": history["chosen"]} if len(history.get("candidates", ())) > 1 else {}


def stacks_layers(device: torch.device) -> bool:
    """Whether layers share one product; on the CPU, each has a core of its own."""
    return device.type != "cpu"


def most_at_once(device: torch.device) -> int:
    """Give how many fits run in parallel at most."""
    return 1 if stacks_layers(device) else torch.get_num_threads()


def layer_groups(
    layers: Sequence[Layer], train_set: Examples, dev_set: Examples | None, settings: Settings
) -> list[list[Layer]]:
    """Divide layers into groups of one width that fit into memory together, or of one layer."""
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


def _pieces(
    jobs: Sequence[Job],
    ranks: Sequence[int],
    groups: Sequence[Sequence[Layer]],
    sets: tuple[Examples, Examples | None],
    settings: Settings,
    moments: SharedMoments | None,
) -> list[_Piece]:
    """Divide the work into pieces; the kinds of one seed and group of layers are adjacent."""
    pieces: list[_Piece] = []
    by_kind: dict[Layer, list[Task]] = {}
    whole, whole_dev = sets
    for layers in groups:
        by_seed: dict[Layer, list[int]] = {}  # by integer; other random states are not shared
        for place, (layer, parameters) in enumerate(jobs):
            if layer in layers:
                state = parameters["random_state"]
                shared_seed = isinstance(state, numbers.Integral)
                by_seed.setdefault(int(state) if shared_seed else ("job", place), []).append(place)
        # If sentences are held out, the training set differs by seed.
        make = partial(moments_of, whole, layers, settings, moments)
        n_kinds = len(KINDS) + (settings.reads is not None)
        shared = _LazyMoments(make, n_kinds * len(by_seed))
        for seed, own in by_seed.items():
            if seed not in by_kind:
                by_kind[seed] = _tasks(jobs[own[0]][1], whole, whole_dev, settings)
            tasks, wanted = by_kind[seed], dict[Layer, list[int]]()
            for layer, rank in dict.fromkeys((jobs[place][0], ranks[place]) for place in own):
                wanted.setdefault(layer, []).append(rank)
            if whole_dev is None:
                train_set = tasks[0].split.train
                shared = _LazyMoments(partial(moments_of, train_set, layers, settings), n_kinds)
            for task in tasks:
                if task.form is not None and isinstance(settings.recipe, Published):
                    make = partial(moments_of, task.split.train, layers, task.settings)
                    shared = _LazyMoments(make, 1)
                pieces.append(_Piece(task, own, wanted, shared))
    return pieces


def _tasks(
    parameters: Mapping[str, Any], whole: Examples, whole_dev: Examples | None, settings: Settings
) -> list[Task]:
    """Hold out sentences if there is no dev set, and compose the batches of all kinds."""
    parts, generator = read_split(parameters, whole, whole_dev)
    kinds = KINDS if settings.reads is None else (*KINDS, RELATION)
    seeds = spawn_seeds(generator, 2 * len(kinds))
    kept = not all(streams([layer], parts, settings) for layer in whole.layers)
    own_seeds = zip(kinds, seeds[::2], seeds[1::2], strict=True)
    # The learning rate of the matrices does not suit a cross-entropy.
    of = {RELATION: replace(settings, learning_rate=None)}
    return [
        make_task(kind, parts, of.get(kind, settings), own, kept=kept) for kind, *own in own_seeds
    ]


def _settings(jobs: Sequence[Job], train_set: Examples) -> tuple[Settings, list[int]]:
    """Check the hyperparameters: those shared by all probes, and the rank of each."""
    if not jobs:
        raise ProbeError("no probes to fit: the list of jobs is empty")
    pick_layers(train_set.layers, [layer for layer, _ in jobs])
    first, ranks = jobs[0][1], []
    for layer, parameters in jobs:
        for name, value in parameters.items():
            if name not in OWN and value != first[name]:
                told = f"probes that are fitted together must have the same {name}"
                raise ProbeError(told, hint=f"only {', '.join(OWN)} may differ")
        settings = read_settings(parameters, train_set.layers[layer].hidden_size)
        ranks.append(settings.rank)
    return settings, ranks
