"""The stages of the main job, each in a process of its own, beside its floor and the plain way."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch

from benchmarks import attention, inside
from benchmarks.clock import Seconds, in_own_process, in_turn, peak_memory, timed
from benchmarks.costs import Costs, measure
from benchmarks.plan import HIDDEN_SIZE, LAYER, N_LAYERS, RANK, Plan
from benchmarks.table import Limit, Line, Stage, at_most, number, times_the_reference
from structprobe import StructuralProbe, Treebank, score
from structprobe.probe.training.fit import FittedMatrix
from structprobe.trees import gold_distances

# What the published recipe reaches on MiniLM layer 4, rank 384, EWT dev, and how far off counts.
PUBLISHED_LOSS, WITHIN = 0.5133, 0.002
RANKS, SEEDS = (32, 128, 384), (0, 1, 2)  # of a grid


def stages(plan: Plan, *, fits_only: bool = False) -> Iterator[Stage | Line]:
    """Measure all stages, one after another; or only those that train."""
    yield from in_own_process(encode_train, plan)
    costs = in_own_process(measure, plan)
    fits = train_one, train_all, converge, curve, curve_in_bfloat16
    for stage in fits if fits_only else (read, gold, encode, *fits[:3], decode, *fits[3:]):
        yield from in_own_process(stage, plan, costs)
    if fits_only:
        yield fit_command()
        return
    yield from attention.stages(plan)
    yield command_line()
    yield fit_command()
    yield Line("most memory the reference held", f"{number(costs.peak)} MB", "–", True)


def command_line() -> Line:
    """Start the command line."""
    command = [sys.executable, "-m", "structprobe", "--help"]
    seconds = timed(lambda: subprocess.run(command, check=True, capture_output=True), repeats=5)
    told = f"{seconds.wall:.2f} s"
    return Line("structprobe --help, wall", told, "at most 0.3 s", seconds.wall <= 0.3)


def fit_command() -> Line:
    """Fit one layer of the embedded model on the embedded treebank from the command line."""
    told = "fit --model minilm --treebank sample --layer 4 --recipe whitened --device cpu -q"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "structprobe", *told.split(), "-o", f"{folder}/PROBE"]
        seconds = timed(
            lambda: subprocess.run(command, check=True, capture_output=True),
            repeats=1,
            warm_up=False,
        )
    took = f"{seconds.wall:.1f} s"
    return Line("structprobe fit, sample, wall", took, "under 12 s", seconds.wall < 12)


def read(plan: Plan, costs: Costs) -> list[Stage]:
    """Read a treebank."""
    ours = timed(lambda: Treebank.read(plan.path("train")), repeats=1)
    limits = (at_most(ours.cpu, 10, "CPU s"),)
    return [Stage("read EWT train", ours, peak_memory(), None, costs.read, limits)]


def gold(plan: Plan, costs: Costs) -> list[Stage]:
    """Make gold distances from heads."""
    heads = [sentence.heads for sentence in plan.bank("train")]
    ours = timed(lambda: gold_distances(heads))
    limits = (at_most(ours.cpu, 0.5, "CPU s"),)
    return [Stage("gold distances, EWT train", ours, peak_memory(), None, costs.gold, limits)]


def encode_train(plan: Plan) -> list[Stage]:
    """Fill the cache of vectors, which the other stages then read."""
    encoder, made = plan.encoder(), []
    bank, dev = plan.bank("train"), plan.bank("dev")

    def encode_once() -> None:
        made.append(encoder.encode(bank, cache=plan.cache, progress=False))

    ours = timed(encode_once, repeats=1, warm_up=False)
    peak = peak_memory()
    encoder.encode(dev, cache=plan.cache, progress=False)
    if not made[0].outliers:  # nothing was encoded in this call
        return []
    limits = (Limit("peak under 1,500 MB", peak < 1500),)
    return [Stage("encode EWT train, all layers, into the store", ours, peak, limits=limits)]


def encode(plan: Plan, costs: Costs) -> list[Stage]:
    """Encode dev, and send the same batches through the bare model."""
    dev, encoder = plan.bank("dev"), plan.encoder()
    calls: list[dict[str, Any]] = []

    def keep(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert not args
        calls.append(kwargs)

    def into_store() -> None:
        with tempfile.TemporaryDirectory() as folder:
            encoder.encode(dev, cache=folder, progress=False)

    model = encoder.loaded.model  # the bare model, to send the same batches through it
    handle = model.register_forward_pre_hook(keep, with_kwargs=True)
    into_store()
    handle.remove()
    peak = peak_memory()

    def bare() -> None:
        with torch.inference_mode():
            for kwargs in calls:
                model(**kwargs)

    ours, floor = in_turn(into_store, bare)
    limits = (
        at_most(ours.cpu / floor.cpu, 1.15, "× floor"),
        Limit("1/3 of the reference's wall seconds", ours.wall * 3 <= costs.encode_wall),
    )
    name = "encode EWT dev, all layers, into the store"
    return [Stage(name, ours, peak, floor.cpu, costs.encode, limits)]


def train_one(plan: Plan, costs: Costs) -> list[Stage]:
    """One epoch of one layer's distance probe, in bfloat16 products too where there are any."""
    bank, encoded = plan.vectors("train", LAYER)
    epochs = inside.distance_epochs(encoded.layer(LAYER), bank, repeats=5)
    ours, floor = epochs.ours, epochs.floor
    limits = (
        at_most(ours.cpu / floor.cpu, 1.3, "× floor"),
        times_the_reference(ours.cpu, costs.epoch, 100),
    )
    name = f"train one layer, one distance epoch, one core (EWT train, layer {LAYER}, rank {RANK})"
    rows = [Stage(name, ours, epochs.peak, floor.cpu, costs.epoch, limits)]
    if inside.has_bfloat16():
        epochs = inside.distance_epochs(encoded.layer(LAYER), bank, repeats=5, products="bfloat16")
        ours, floor = epochs.ours, epochs.floor
        limits = (at_most(ours.cpu / floor.cpu, 0.9, "× floor in float32"),)
        rows.append(
            Stage("the same, bfloat16 products", ours, None, floor.cpu, costs.epoch, limits)
        )
    return rows


def train_all(plan: Plan, costs: Costs) -> list[Stage]:
    """One epoch of both probes of every layer."""
    bank, encoded = plan.vectors("train")
    index = next(i for i, one in enumerate(bank) if len(one) > 1)
    dev = {layer: [encoded.layer(layer)[index]] for layer in encoded.layers}, [bank[index]]
    n_steps = -(-len(bank) // 32)
    ours = inside.seconds_of_steps(partial(inside.fit_layers, encoded, bank, dev), n_steps)
    peak = peak_memory()
    floor = _floor(bank.n_words) * 2 * N_LAYERS
    name = f"train all {N_LAYERS} layers, one epoch of distance and of depth"
    return [Stage(name, ours, peak, floor, costs.layers)]


def converge(plan: Plan, costs: Costs) -> list[Stage]:
    """One distance probe from vectors to the published dev loss."""
    (train, vectors), (dev, dev_vectors) = (plan.vectors(part, LAYER) for part in ("train", "dev"))
    data = vectors.layer(LAYER), train, (dev_vectors.layer(LAYER), dev)
    rows = []
    for products in ("float32", "bfloat16") if inside.has_bfloat16() else ("float32",):
        found: list[FittedMatrix] = []

        def fit(products: str = products, found: list[FittedMatrix] = found) -> None:
            found.append(inside.fit_distances(*data, products=products))

        with inside.one_core():
            ours = timed(fit, repeats=1, warm_up=False)
        loss, epochs = found[0].history["best_dev_loss"], _epochs(found[0].history)
        target = PUBLISHED_LOSS + WITHIN
        floor = _floor(train.n_words) * epochs
        limits = (
            Limit(f"dev L1 {loss:.4f}, at most {target}", loss <= target),
            at_most(ours.cpu / floor, 1.4, "× floor"),
        )
        name = f"one distance probe to the published dev loss, one core ({epochs:.1f} epochs)"
        name = name if products == "float32" else f"the same, {products} products"
        rows.append(Stage(name, ours, peak_memory(), floor, costs.run, limits))
    return rows


def _epochs(history: Mapping[str, Any]) -> float:
    """Tell how many epochs a fit took."""
    return float(history["steps"] / history["steps_per_epoch"])


def _floor(n_words: int) -> float:
    """CPU seconds of the bare float32 products of one epoch, on one core."""
    with inside.one_core():
        return timed(inside.bare_products(n_words, HIDDEN_SIZE)).cpu


def decode(plan: Plan, costs: Costs) -> list[Stage]:
    """Recover trees from vectors, and score them."""
    dev, encoded = plan.vectors("dev", LAYER)
    vectors = encoded.layer(LAYER)
    probe = StructuralProbe(max_steps=200, random_state=0, device="cpu")
    probe.fit(vectors, dev, dev=(vectors, dev))
    trees = timed(lambda: probe.predictions(vectors))
    predictions = probe.predictions(vectors)
    scores = timed(lambda: score(dev, predictions, punct="xpos"))
    both = at_most(trees.cpu + scores.cpu, 0.5, "CPU s with all scores")
    return [
        Stage("decode EWT dev", trees, peak_memory(), None, costs.decode, (both,)),
        Stage("score EWT dev", scores, peak_memory(), None, costs.score),
    ]


def curve(plan: Plan, costs: Costs) -> list[Stage]:
    """Both probes of all layers to convergence, scored on dev."""
    return _curve(plan, costs, "float32")


def curve_in_bfloat16(plan: Plan, costs: Costs) -> list[Stage]:
    """Take bfloat16 products for the same, where the processor has them."""
    return _curve(plan, costs, "bfloat16") if inside.has_bfloat16() else []


def _curve(plan: Plan, costs: Costs, products: str) -> list[Stage]:
    (train, vectors), (dev, dev_vectors) = (plan.vectors(part) for part in ("train", "dev"))
    probes: dict[int, StructuralProbe] = {}
    best: list[float] = []

    def whole() -> None:
        probes.update(inside.fit_layers(vectors, train, (dev_vectors, dev), products=products))
        for layer, probe in probes.items():
            best.append(probe.evaluate(dev_vectors.layer(layer), dev, punct="xpos").uuas or 0)

    ours = timed(whole, repeats=1, warm_up=False)
    peak = peak_memory()
    used = sum(
        _epochs(probe.history_[kind]) for probe in probes.values() for kind in ("distance", "depth")
    )
    floor = _floor(train.n_words)
    limits = (at_most(ours.cpu / (floor * used), 1.3, "× floor"),)
    told = ", ".join(f"{100 * uuas:.1f}" for uuas in best)
    name = f"whole curve, {products}, {used:.0f} epochs in all (dev UUAS {told})"
    rows = [Stage(name, ours, peak, floor * used, costs.curve, limits)]
    return rows + ([_grid(train, vectors, dev, dev_vectors, ours)] if products == "float32" else [])


def _grid(train: Any, vectors: Any, dev: Any, dev_vectors: Any, curve: Seconds) -> Stage:
    """Fit all layers with three ranks and three seeds."""
    fit = partial(inside.fit_grid, vectors, train, (dev_vectors, dev), RANKS, SEEDS)
    ours = timed(fit, repeats=1, warm_up=False)
    name = f"all layers with ranks {', '.join(map(str, RANKS))} and {len(SEEDS)} seeds, float32"
    limits = (at_most(ours.cpu / curve.cpu, 7, "× the curve"),)
    return Stage(name, ours, peak_memory(), limits=limits)
