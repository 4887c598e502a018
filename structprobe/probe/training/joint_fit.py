"""Fit many probes on one set of trees together: layers, ranks and seeds, as memory allows.

A lone probe is the special case of one. Probes of one seed share their batches; gold values are
made once; what a layer's vectors must be known for is summed up once for all probes on it. On the
processor a layer's distances and its depths are two pieces of work, each for one core.
"""

from __future__ import annotations

import numbers
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from numpy.random import SeedSequence

from structprobe.errors import ProbeError
from structprobe.probe.data.examples import KINDS, Examples, layer_name, read_examples
from structprobe.probe.data.inputs import (
    check_origin,
    check_pairs,
    check_width,
    hold_out,
    origin_of,
)
from structprobe.probe.data.whitening import Moments
from structprobe.probe.training.fit import Course, Found, course_of, fit_kind, moments_of
from structprobe.probe.training.memory import bytes_held, bytes_of_layer, streams
from structprobe.probe.training.settings import (
    Settings,
    read_fraction,
    read_generator,
    read_settings,
)
from structprobe.probe.training.workers import Goes, side_by_side
from structprobe.progress import progress_bar

if TYPE_CHECKING:
    from structprobe.probe.estimator import StructuralProbe

# Hyperparameters in which probes that are fitted together may differ.
OWN = ("rank", "random_state", "verbose")

Job = tuple[Hashable, "StructuralProbe"]


@dataclass(frozen=True, slots=True)
class _Split:
    """What a seed learns from and chooses by, with its batches and what draws the starts."""

    train: Examples
    dev: Examples
    courses: Mapping[str, Course]
    seeds: Mapping[str, SeedSequence]


@dataclass(slots=True)
class _Shared:
    """The moments of some layers, summed up when first asked for, and kept for so many users."""

    make: Callable[[], dict[Hashable, Moments]]
    users: int
    value: dict[Hashable, Moments] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> dict[Hashable, Moments]:
        """Give them to one of the users."""
        with self.lock:
            value = self.make() if self.value is None else self.value
            self.users -= 1
            self.value = value if self.users else None
        return value


@dataclass(frozen=True, slots=True)
class _Task:
    """The probes of one kind and seed on some layers: one piece of work."""

    kind: str
    places: Sequence[int]
    ranks: Mapping[Hashable, Sequence[int]]
    split: _Split
    moments: _Shared
    settings: Settings

    @property
    def n_bytes(self) -> int:
        """The bytes of vectors that it holds."""
        split, course = self.split, self.split.courses[self.kind]
        layouts = course.layout, course.dev.layout
        return bytes_held(self.ranks, split.train, split.dev, layouts, self.settings)

    def __call__(
        self, advance: Callable[[int], None], goes: Goes
    ) -> dict[tuple[Hashable, int], Found]:
        """Find the components."""
        course, done = self.split.courses[self.kind], 0

        def on_step(step: int) -> None:
            nonlocal done
            goes()
            advance(1)
            done = step

        found = fit_kind(
            self.kind,
            course,
            self.split.train,
            self.split.dev,
            self.ranks,
            self.moments.take(),
            self.settings,
            self.split.seeds[self.kind],
            on_step,
        )
        advance(course.max_steps - done)
        return found


def fit_together(
    jobs: Sequence[Job],
    X: Mapping[Any, Any],
    y: Any,
    *,
    dev: tuple[Mapping[Any, Any], Any] | None = None,
) -> Iterator[list[Job]]:
    """Fit probes on several layers of the same sentences, group by group of layers."""
    whole, whole_dev = _read(X, y, dev)
    settings, ranks = _settings(jobs, whole)
    stacked = stacks_layers(settings.device)
    layers = list(dict.fromkeys(layer for layer, _ in jobs))
    groups = [[layer] for layer in layers]
    if stacked:
        groups = layer_groups(layers, whole, whole_dev, settings)
    tasks = _tasks(jobs, ranks, groups, whole, whole_dev, settings)
    n_workers = _n_workers(tasks, settings)
    label = "probe" if len(layers) == 1 else f"probes of {len(layers)} layers"
    n_steps = sum(task.split.courses[task.kind].max_steps for task in tasks)
    found: dict[str, dict[tuple[Hashable, int], Found]] = {}
    shown = None if any(probe.verbose for _, probe in jobs) else False
    with progress_bar(label, n_steps, "step", shown=shown) as advance:
        results = side_by_side([partial(task, advance) for task in tasks], n_workers)
        for task, result in zip(tasks, results, strict=True):
            found[task.kind] = result
            if len(found) < len(KINDS):
                continue
            for place in task.places:
                layer, probe = jobs[place]
                _tell(probe, {kind: own[layer, ranks[place]] for kind, own in found.items()}, task)
                probe.n_features_in_ = whole.layers[layer].hidden_size
                probe.origin_ = origin_of(X[layer])
                probe.treebank_fingerprint_ = getattr(y, "fingerprint", None)
            found = {}
            yield [jobs[place] for place in task.places]


def stacks_layers(device: torch.device) -> bool:
    """Tell whether layers are put into one product; on a processor each has a core of its own."""
    return device.type != "cpu"


def most_at_once(device: torch.device) -> int:
    """Tell how many fits there are side by side at most."""
    return 1 if stacks_layers(device) else torch.get_num_threads()


def layer_groups(
    layers: Sequence[Hashable],
    train_set: Examples,
    dev_set: Examples | None,
    settings: Settings,
) -> list[list[Hashable]]:
    """Cut layers into groups whose vectors fit into memory at once; layers of one width.

    A layer that does not fit is a group by itself.
    """
    groups: list[list[Hashable]] = []
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


def _n_workers(tasks: Sequence[_Task], settings: Settings) -> int:
    """Tell how many fits there are side by side: by the cores, and by the memory."""
    in_memory = settings.memory_gb * 1e9 / max(task.n_bytes for task in tasks)
    return max(1, int(min(most_at_once(settings.device), len(tasks), in_memory)))


def _tasks(
    jobs: Sequence[Job],
    ranks: Sequence[int],
    groups: Sequence[Sequence[Hashable]],
    whole: Examples,
    whole_dev: Examples | None,
    settings: Settings,
) -> list[_Task]:
    """Cut the work into pieces; the kinds of one seed and group of layers follow each other."""
    tasks, splits = [], {}
    for layers in groups:
        by_seed = _by_seed(jobs, [i for i, (layer, _) in enumerate(jobs) if layer in layers])
        # Where sentences are held out, what is left to learn from differs by seed.
        shared = _Shared(partial(moments_of, whole, layers, settings), len(KINDS) * len(by_seed))
        for seed, own in by_seed.items():
            if seed not in splits:
                splits[seed] = _split(jobs[own[0]][1], whole, whole_dev, settings)
            split, wanted = splits[seed], _ranks_by_layer(jobs, ranks, own)
            if whole_dev is None:
                shared = _Shared(partial(moments_of, split.train, layers, settings), len(KINDS))
            tasks += [_Task(kind, own, wanted, split, shared, settings) for kind in KINDS]
    return tasks


def _tell(probe: StructuralProbe, found: Mapping[str, Found], task: _Task) -> None:
    """Put what was found into a probe."""
    probe.distance_components_, probe.depth_components_ = (found[kind].components for kind in KINDS)
    probe.history_ = {
        "recipe": probe.recipe,
        "device": str(task.settings.device),
        "n_train": len(task.split.train.lengths),
        "n_dev": len(task.split.dev.lengths),
        **{kind: found[kind].history for kind in KINDS},
    }


def _read(
    X: Mapping[Any, Any], y: Any, dev: tuple[Mapping[Any, Any], Any] | None
) -> tuple[Examples, Examples | None]:
    """Take the training and the dev set, checked against each other."""
    train_set = read_examples(X, y)
    if dev is None:
        return train_set, None
    dev_set = read_examples(dev[0], dev[1], " of dev")
    for layer, words in train_set.layers.items():
        name = layer_name(layer)
        if layer not in dev_set.layers:
            raise ProbeError(f"there is no {name} of dev")
        check_width(dev_set.layers[layer], words.hidden_size, f"{name} of dev")
        check_origin(origin_of(dev[0][layer]), origin_of(X[layer]), f"{name} of dev")
        check_pairs(words, name)
        check_pairs(dev_set.layers[layer], f"{name} of dev")
    return train_set, dev_set


def _settings(jobs: Sequence[Job], train_set: Examples) -> tuple[Settings, list[int]]:
    """Check what the probes are told: what all share, and the rank of each."""
    if not jobs:
        raise ProbeError("there is no probe to fit")
    first, ranks = jobs[0][1].get_params(), []
    for layer, probe in jobs:
        if layer not in train_set.layers:
            known = ", ".join(map(str, train_set.layers))
            raise ProbeError(f"there are no vectors of layer {layer}", hint=f"there are: {known}")
        params = probe.get_params()
        differing = [name for name in params if name not in OWN and params[name] != first[name]]
        if differing:
            raise ProbeError(
                f"probes that are fitted together differ in {differing[0]}",
                hint=f"they may differ in {', '.join(OWN)}",
            )
        settings = read_settings(params, train_set.layers[layer].hidden_size)
        ranks.append(settings.rank)
    return settings, ranks


def _by_seed(jobs: Sequence[Job], places: Sequence[int]) -> dict[Hashable, list[int]]:
    """Put jobs with the same number for their random state together; others stay alone."""
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        state = jobs[place][1].random_state
        seed = int(state) if isinstance(state, numbers.Integral) else ("job", place)
        groups.setdefault(seed, []).append(place)
    return groups


def _split(
    probe: StructuralProbe, whole: Examples, whole_dev: Examples | None, settings: Settings
) -> _Split:
    """Hold sentences out where there is no dev set, and compose the batches of both fits."""
    generator = read_generator(probe.random_state)
    if whole_dev is None:
        share = read_fraction(probe.validation_fraction)
        rest, held_out = hold_out(whole.lengths, share, generator)
        whole, whole_dev = whole.take(rest), whole.take(held_out)
    # numpy's own types leave out that a generator's seed can spawn more.
    drawn = cast(SeedSequence, generator.bit_generator.seed_seq).spawn(2 * len(KINDS))
    kept = not all(streams([layer], whole, whole_dev, settings) for layer in whole.layers)
    courses = {
        kind: course_of(kind, whole, whole_dev, settings, seed, kept=kept)
        for kind, seed in zip(KINDS, drawn[::2], strict=True)
    }
    return _Split(whole, whole_dev, courses, dict(zip(KINDS, drawn[1::2], strict=True)))


def _ranks_by_layer(
    jobs: Sequence[Job], ranks: Sequence[int], places: Sequence[int]
) -> dict[Hashable, list[int]]:
    """Tell which ranks are wanted on each layer, each once."""
    wanted: dict[Hashable, list[int]] = {}
    for place in places:
        own = wanted.setdefault(jobs[place][0], [])
        if ranks[place] not in own:
            own.append(ranks[place])
    return wanted
