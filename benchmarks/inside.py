"""The one place where the benchmark looks inside the library: at fits, step by step.

Every fit tells its steps to the function that draws progress bars; the benchmark stands in for it.
"""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch

import structprobe.probe
from benchmarks.clock import Seconds, Stopwatch, held_memory, peak_memory, restart_peak, timed
from benchmarks.plan import RANK
from structprobe import StructuralProbe
from structprobe.probe.examples import read_examples
from structprobe.probe.fitting import fit_kind, moments_of
from structprobe.probe.layers import layers_of
from structprobe.probe.projecting import predict_distances
from structprobe.probe.settings import read_settings
from structprobe.scores import Prediction, score
from structprobe.trees import decode_rooted

# What `StructuralProbe` takes to stream its vectors from disk.
STREAMED: dict[str, Any] = {}

OnStep = Callable[[int, int], None]


class Enough(Exception):  # noqa: N818 -- it is no error
    """What ends a fit of which no more is wanted."""


@contextmanager
def watched(on_step: OnStep | None = None, *, distance_only: bool = False) -> Iterator[dict]:
    """Look on while probes are fitted.

    Yields the seconds from here to the end of each kind of fit, which are filled in as they end.
    """
    watch, ended = Stopwatch(), {}

    @contextmanager
    def progress(label: str, *, shown: bool) -> Iterator[OnStep]:
        del shown
        kind = label.split(",")[0]
        yield on_step if on_step and kind == "distance" else lambda step, steps: None
        ended[kind] = watch.read()
        if distance_only:
            raise Enough

    with ExitStack() as stack:
        stack.enter_context(suppress(Enough))
        for module in _showing_progress():
            stack.enter_context(mock.patch.object(module, "progress", progress))
        yield ended


def _showing_progress() -> list[Any]:
    """Find the modules of the probe's room that show progress."""
    found = []
    for name in ("estimator", "together"):
        with suppress(ModuleNotFoundError):
            module = importlib.import_module(f"structprobe.probe.{name}")
            found += [module] if hasattr(module, "progress") else []
    return found


def fit_layers(X: Any, y: Any, dev: tuple[Any, Any], **settings: Any) -> dict[int, StructuralProbe]:
    """Fit all layers of an `EncodedBank`: in one run where the library can, else in turn."""
    settings = {"rank": RANK, "random_state": 0, "device": "cpu", **settings}
    if hasattr(structprobe.probe, "LayerSweep"):
        return structprobe.probe.LayerSweep(**settings).fit(X, y, dev=dev)
    return {
        layer: StructuralProbe(**settings).fit(X.layer(layer), y, dev=(dev[0].layer(layer), dev[1]))
        for layer in X.layers
    }


def in_one_run(X: Any) -> list[Any]:
    """Cut an `EncodedBank` into what is trained at once: itself, or layer by layer."""
    if hasattr(structprobe.probe, "LayerSweep"):
        return [X]
    return [X.layer(layer) for layer in X.layers]


def fit_one(X: Any, y: Any, dev: tuple[Any, Any], **settings: Any) -> StructuralProbe:
    """Fit one layer."""
    settings = {"rank": RANK, "random_state": 0, "device": "cpu", **settings}
    return StructuralProbe(**settings).fit(X, y, dev=dev)


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
    """Time some epochs of distance probes: of one layer's vectors, or of an `EncodedBank`.

    The first epoch is to get warm. The bare products are done between the epochs, so that both see
    the same machine.
    """
    layers = list(getattr(X, "layers", [None]))
    first = X if layers == [None] else X.layer(layers[0])
    tiny = _one_sentence(X, y, layers)
    probe = fit_one(first, y, _one_sentence(first, y, [None]), max_steps=1)
    steps = probe.history_["distance"]["steps_per_epoch"]
    floor = bare_products(sum(map(len, y)), first[0].shape[1], len(layers))
    watch, pairs, peaks = Stopwatch(), [], []

    def on_step(step: int, _: int) -> None:
        if step % steps:
            return
        ours = watch.read()
        if step == steps:
            peaks.append(peak_memory())
            floor()
        else:
            pairs.append((ours, timed(floor, repeats=1, warm_up=False)))
        watch.restart()

    fit = fit_one if layers == [None] else fit_layers
    with watched(on_step, distance_only=True):
        fit(X, y, tiny, max_steps=steps * (repeats + 1), **settings)
    ours, bare = sorted(pairs, key=lambda pair: pair[0].cpu / pair[1].cpu)[len(pairs) // 2]
    return Epochs(ours, bare, peaks[0])


def _one_sentence(X: Any, y: Sequence[Any], layers: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Take a sentence of two or more words: a dev set that costs nothing."""
    index = next(i for i, one in enumerate(y) if len(one) > 1)
    if list(layers) == [None]:
        return [X[index]], [y[index]]
    return {layer: [X.layer(layer)[index]] for layer in layers}, [y[index]]


def step_memory(X: Any, y: Sequence[Any]) -> float:
    """Tell how far a step of training lifts the memory above what is held between steps, in MB."""
    before, rises = [0.0], []

    def on_step(step: int, _: int) -> None:
        if step > 1:
            rises.append(peak_memory() - before[0])
        restart_peak()
        before[0] = held_memory()

    with watched(on_step, distance_only=True):
        fit_one(X, y, _one_sentence(X, y, [None]), max_steps=4)
    return statistics.median(rises)


def bare_products(n_words: int, hidden_size: int, times: int = 1) -> Callable[[], None]:
    """Make a call of H Bᵀ and its transpose with the gradient, all words at once, float32.

    It writes into memory that is there already, so that it is products alone.
    """
    held: list[torch.Tensor] = []

    def run() -> None:
        if not held:
            shapes = (n_words, hidden_size), (RANK, hidden_size), (n_words, RANK)
            held.extend(torch.randn(shape) for shape in (*shapes, shapes[1]))
        values, components, projected, gradient = held
        for _ in range(times):
            torch.matmul(values, components.T, out=projected)  # (n_words, rank)
            torch.matmul(projected.T, values, out=gradient)  # (rank, hidden_size)

    return run


def distance_scores(
    X: Any, y: Sequence[Any], dev: tuple[Any, Sequence[Any]], *, punct: str, **settings: Any
) -> dict[int, tuple[float, float]]:
    """Fit the distance probes of all layers, and no depth probes; give L1 and UUAS on dev."""
    probe = StructuralProbe(**{"random_state": 0, "device": "cpu", **settings})
    sets = [read_examples(layers_of(bank, "X"), trees) for bank, trees in ((X, y), dev)]
    layers = sets[0].layers
    read = read_settings(probe.get_params(), next(iter(layers.values())).hidden_size)
    moments = moments_of(sets[0], layers, read)
    seeds = np.random.SeedSequence(probe.random_state).spawn(2)
    ranks = {layer: [read.rank] for layer in layers}
    found = fit_kind("distance", *sets, ranks, moments, read, (seeds[0], seeds[1]))
    scores = {}
    for (layer, _), fit in found.items():
        distances = predict_distances(sets[1].layers[layer], fit.components)
        # Any root will do: UUAS looks at edges alone.
        heads = decode_rooted(distances, [np.zeros(len(one)) for one in distances])
        trees = [Prediction(*parts) for parts in zip(heads, distances, strict=True)]
        uuas = score(dev[1], trees, punct=punct).uuas or 0.0
        scores[layer] = fit.history["best_dev_loss"], uuas
    return scores
