"""The one place where the benchmark looks inside the library: at one kind of fit, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence

from benchmarks.clock import Seconds, Stopwatch, held_memory, peak_memory, restart_peak, timed
from benchmarks.plan import RANK
from structprobe import LayerSweep, StructuralProbe
from structprobe.probe.data.examples import Split, read_examples
from structprobe.probe.data.inputs import layers_of
from structprobe.probe.estimator import fit_together
from structprobe.probe.losses.geometries import EUCLIDEAN
from structprobe.probe.projecting import predict_distances
from structprobe.probe.training.fit import FittedMatrix, fit_kind, make_task
from structprobe.probe.training.settings import read_settings
from structprobe.probe.training.spaces import moments_of
from structprobe.scores import Prediction, score
from structprobe.trees import decode_rooted

# What `StructuralProbe` takes to stream its vectors from disk: less room than one layer wants.
STREAMED: dict[str, Any] = {"memory_gb": 0.02}

# Of the fits that are timed: the recipe without a choice, whose floors are known.
PLAIN: dict[str, Any] = {"rank": RANK, "device": "cpu", "recipe": "whitened"}

OnStep = Callable[[int], None]


@contextmanager
def one_core() -> Iterator[None]:
    """Keep torch to one core, as the library does where it has as many fits as there are cores."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def fit_distances(
    X: Any,
    y: Any,
    dev: tuple[Any, Any],
    on_step: OnStep | None = None,
    *,
    seed: int = 0,
    **settings: Any,
) -> FittedMatrix:
    """Fit one layer's distance probe, and no depth probe beside it."""
    split = Split(read_examples({None: X}, y), read_examples({None: dev[0]}, dev[1]), None)
    probe = StructuralProbe(**{**PLAIN, **settings})
    told = read_settings(probe.get_params(), split.train.layers[None].hidden_size)
    task = make_task("distance", split, told, SeedSequence(seed).spawn(2))
    moments = moments_of(split.train, [None], told)
    return fit_kind(task, {None: [told.rank]}, moments, on_step)[None, told.rank]


def fit_layers(X: Any, y: Any, dev: tuple[Any, Any], **settings: Any) -> dict[int, StructuralProbe]:
    """Fit all layers of an `EncodedBank` in one run."""
    own = {**PLAIN, "random_state": 0, **settings}
    return LayerSweep(**own).fit(X, y, dev=dev).probes_


def fit_grid(
    X: Any, y: Any, dev: tuple[Any, Any], ranks: Sequence[int], seeds: Sequence[int]
) -> list[StructuralProbe]:
    """Fit all layers of an `EncodedBank` with several ranks and seeds in one run."""
    jobs = [
        (layer, StructuralProbe(**{**PLAIN, "rank": rank, "random_state": seed}))
        for layer in X.layers
        for rank in ranks
        for seed in seeds
    ]
    dev_layers = {layer: dev[0].layer(layer) for layer in X.layers}, dev[1]
    layers = {layer: X.layer(layer) for layer in X.layers}
    return [p for own in fit_together(jobs, layers, y, dev=dev_layers) for _, p in own]


def has_bfloat16() -> bool:
    """Whether the library can train in bfloat16 products, and the processor has them."""
    units = getattr(torch.cpu, "get_capabilities", dict)()
    fast = units.get("avx512_bf16") or units.get("amx_bf16")
    return bool(fast) and "products" in StructuralProbe().get_params()


@dataclass(frozen=True)
class Epochs:
    """Epochs of a distance probe's training, and the products they cannot do without.

    Attributes
    ----------
    ours, floor : Seconds
        Of the epoch whose ratio is the median one, and of the bare products right after it.
    peak : float
        Most memory that the process held before the first bare products, in MB.
    """

    ours: Seconds
    floor: Seconds
    peak: float


def distance_epochs(X: Any, y: Sequence[Any], *, repeats: int = 3, **settings: Any) -> Epochs:
    """Time some epochs of one layer's distance probe, on one core.

    The first epoch is to get warm. The bare products are done between the epochs, so that both see
    the same machine.
    """
    dev = one_sentence(X, y)
    steps = fit_distances(X, y, dev, max_steps=1).history["steps_per_epoch"]
    floor = bare_products(sum(map(len, y)), X[0].shape[1])
    watch, pairs, peaks = Stopwatch(), [], []

    def on_step(step: int) -> None:
        if step % steps:
            return
        ours = watch.read()
        if step == steps:
            peaks.append(peak_memory())
            floor()
        else:
            pairs.append((ours, timed(floor, repeats=1, warm_up=False)))
        watch.restart()

    with one_core():
        fit_distances(X, y, dev, on_step, max_steps=steps * (repeats + 1), **settings)
    ours, bare = sorted(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)[len(pairs) // 2]
    return Epochs(ours, bare, peaks[0])


def one_sentence(X: Any, y: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Take a sentence of two or more words: a dev set that costs nothing."""
    index = next(i for i, one in enumerate(y) if len(one) > 1)
    return [X[index]], [y[index]]


def fit_memory(X: Any, y: Sequence[Any], warm: tuple[Any, Sequence[Any]]) -> float:
    """Tell how far a few steps of training lift the memory above what is held before, in MB.

    All that the fit makes is in it, from before its first step. A fit of `warm` goes before, so
    that libraries which load at their first use are not.
    """
    fit_distances(*warm, one_sentence(*warm), max_steps=4)
    restart_peak()
    before = held_memory()
    fit_distances(X, y, one_sentence(X, y), max_steps=4)
    return peak_memory() - before


def seconds_of_steps(fit: Callable[..., object], n_steps: int) -> Seconds:
    """Time so many steps of a fit: twice as many, less what the fit costs with half of them."""
    once, twice = (
        timed(partial(fit, max_steps=steps), repeats=1, warm_up=False)
        for steps in (n_steps, 2 * n_steps)
    )
    return Seconds(twice.cpu - once.cpu, twice.wall - once.wall)


def bare_products(n_words: int, hidden_size: int) -> Callable[[], None]:
    """Make a call of H Bᵀ and its transpose with the gradient, all words at once, float32.

    It writes into memory that is there already, so that it is products alone.
    """
    held: list[torch.Tensor] = []

    def run() -> None:
        if not held:
            shapes = (n_words, hidden_size), (RANK, hidden_size), (n_words, RANK)
            held.extend(torch.randn(shape) for shape in (*shapes, shapes[1]))
        values, components, projected, gradient = held
        torch.matmul(values, components.T, out=projected)  # (n_words, rank)
        torch.matmul(projected.T, values, out=gradient)  # (rank, hidden_size)

    return run


def distance_scores(
    X: Any, y: Sequence[Any], dev: tuple[Any, Sequence[Any]], *, punct: str, **settings: Any
) -> dict[int, tuple[float, float]]:
    """Fit the distance probes of all layers, and no depth probes; give L1 and UUAS on dev."""
    probe = StructuralProbe(device="cpu", **settings)
    split = Split(*(read_examples(layers_of(bank), trees) for bank, trees in ((X, y), dev)), None)
    layers = split.train.layers
    told = read_settings(probe.get_params(), next(iter(layers.values())).hidden_size)
    task = make_task("distance", split, told, SeedSequence(0).spawn(2))
    found: dict[Any, FittedMatrix] = {}
    for layer in layers:
        moments = moments_of(split.train, [layer], told)
        found |= fit_kind(task, {layer: [told.rank]}, moments)
    scores = {}
    for (layer, _), fit in found.items():
        trees = trees_of(split.dev.layers[layer], fit.components)
        uuas = score(dev[1], trees, punct=punct).uuas or 0.0
        scores[layer] = fit.history["best_dev_loss"], uuas
    return scores


def trees_of(words: Any, components: Any) -> list[Prediction]:
    """Decode the trees of a distance probe; any root will do, as UUAS looks at edges alone."""
    distances = predict_distances(words, components, EUCLIDEAN)
    heads = decode_rooted(distances, [np.zeros(len(one)) for one in distances])
    return [Prediction(*parts) for parts in zip(heads, distances, strict=True)]
