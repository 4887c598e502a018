"""What the plain way costs: each stage of `benchmarks.reference`, of the slow ones a part."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks import reference
from benchmarks.clock import peak_memory, timed
from benchmarks.plan import LAYER, N_LAYERS, RANK, Plan
from benchmarks.table import Reference

# Epochs of the published recipe until it stops by itself, EWT train and dev, seed 0: counted by
# our own published recipe, which draws, decays and stops alike. Layers 0 to 6.
DISTANCE_EPOCHS = (17, 19, 16, 21, 16, 19, 14)
DEPTH_EPOCHS = (21, 21, 21, 20, 19, 17, 14)

# Every so-manieth sentence goes the plain way, and the seconds are scaled to all.
GOLD_EVERY, ENCODE_EVERY, TRAIN_EVERY, SCORE_EVERY = 20, 10, 25, 5


@dataclass(frozen=True)
class Costs:
    """The plain way's seconds for each stage of the main job.

    Attributes
    ----------
    read, gold : Reference
        Of EWT train.
    encode : Reference
        Of EWT dev, a sentence at a time.
    encode_wall : float
        The same in wall seconds.
    epoch : Reference
        One epoch of one layer's distance probe, EWT train.
    layers : Reference
        One epoch of both probes of all layers.
    run : Reference
        One distance probe to its own stop, dev losses included.
    curve : Reference
        Both probes of all layers, one after another, to their own stops, and scored on dev.
    decode, score : Reference
        Of EWT dev.
    peak : float
        Most memory it held, in MB.
    """

    read: Reference
    gold: Reference
    encode: Reference
    encode_wall: float
    epoch: Reference
    layers: Reference
    run: Reference
    curve: Reference
    decode: Reference
    score: Reference
    peak: float


def measure(plan: Plan) -> Costs:
    """Do every stage the plain way."""
    torch.manual_seed(0)
    train, dev = (reference.read(plan.path(part))[:: plan.every] for part in ("train", "dev"))
    read = timed(lambda: reference.read(plan.path("train")), repeats=1)
    gold = _part(train, 1 if plan.full else GOLD_EVERY, _walk_paths)
    encode, encode_wall = _encoding(plan, dev)
    vectors = {part: _vectors(plan, part, LAYER) for part in ("train", "dev")}
    if plan.full:
        epoch, layers, run, curve = _runs_for_real(plan, train, dev)
    else:
        epoch, layers, run, curve = _runs_scaled(vectors, train, dev)
    decode, score = _decoding(vectors["dev"], dev, 1 if plan.full else SCORE_EVERY)
    curve = Reference(curve.cpu + N_LAYERS * (decode.cpu + score.cpu), curve.how)
    return Costs(
        Reference(read.cpu),
        *(gold, encode, encode_wall, epoch, layers, run, curve, decode, score),
        peak_memory(),
    )


def _part(
    items: Sequence[object], every: int, call: Callable[[Sequence[object]], object]
) -> Reference:
    """Time a call on every so-manieth of some things, scaled to all."""
    part = items[::every]
    cpu = timed(lambda: call(part), repeats=1, warm_up=False).cpu
    return Reference(cpu * len(items) / len(part), f"1/{every}, scaled" if every > 1 else "")


def _walk_paths(observations: Sequence[reference.Observation]) -> None:
    for observation in observations:
        reference.gold_distances(observation.heads)


def _encoding(plan: Plan, dev: Sequence[reference.Observation]) -> tuple[Reference, float]:
    """Send sentences of dev through the model one by one."""
    from transformers import AutoModel, AutoTokenizer

    from structprobe.models.embedded import embedded_model

    model = AutoModel.from_pretrained(embedded_model(), dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    every = 1 if plan.full else ENCODE_EVERY
    part = dev[::every]

    def one_by_one() -> None:
        for observation in part:
            reference.encode(model, tokenizer, observation.words)

    seconds = timed(one_by_one, repeats=1) * (len(dev) / len(part))
    return Reference(seconds.cpu, f"1/{every}, scaled" if every > 1 else ""), seconds.wall


def _vectors(plan: Plan, part: str, layer: int) -> list[Tensor]:
    """Word vectors of one part and layer as the plain way keeps them: a tensor a sentence."""
    _, encoded = plan.vectors(part, layer)
    return [torch.from_numpy(np.array(one)) for one in encoded.layer(layer)]


def _gold(kind: str, observations: Sequence[reference.Observation]) -> list[Tensor]:
    walk = reference.gold_distances if kind == "distance" else reference.gold_depths
    return [walk(observation.heads) for observation in observations]


def _probe(kind: str, hidden_size: int) -> torch.nn.Module:
    return (reference.DistanceProbe if kind == "distance" else reference.DepthProbe)(
        hidden_size, RANK
    )


def _runs_scaled(
    vectors: dict[str, list[Tensor]],
    train: Sequence[reference.Observation],
    dev: Sequence[reference.Observation],
) -> tuple[Reference, Reference, Reference, Reference]:
    """Time a part of an epoch of both probes, and scale it to whole runs of all layers."""
    epochs, runs = {}, {}
    for kind in ("distance", "depth"):
        probe = _probe(kind, vectors["train"][0].shape[1])
        optimizer = torch.optim.Adam(probe.parameters(), lr=0.001)
        x, y = vectors["train"][::TRAIN_EVERY], _gold(kind, train[::TRAIN_EVERY])
        step = partial(reference.train_epoch, probe, optimizer, x, y)
        epochs[kind] = timed(step, repeats=1, warm_up=False).cpu * len(train) / len(x)
        x, y = vectors["dev"][::TRAIN_EVERY], _gold(kind, dev[::TRAIN_EVERY])
        look = partial(reference.dev_loss, probe, x, y)
        seconds = timed(look, repeats=1, warm_up=False).cpu * len(dev) / len(x)
        runs[kind] = epochs[kind] + seconds
    how = f"1/{TRAIN_EVERY} of an epoch, scaled"
    one = DISTANCE_EPOCHS[LAYER]
    curve = runs["distance"] * sum(DISTANCE_EPOCHS) + runs["depth"] * sum(DEPTH_EPOCHS)
    return (
        Reference(epochs["distance"], how),
        Reference(N_LAYERS * sum(epochs.values()), f"{how}, × {N_LAYERS}"),
        Reference(runs["distance"] * one, f"{how} and × {one} epochs: extrapolated"),
        Reference(
            curve,
            f"{how} and × {sum(DISTANCE_EPOCHS)} and {sum(DEPTH_EPOCHS)} epochs: extrapolated",
        ),
    )


def _runs_for_real(
    plan: Plan,
    train: Sequence[reference.Observation],
    dev: Sequence[reference.Observation],
) -> tuple[Reference, Reference, Reference, Reference]:
    """Train both probes of every layer to their own stops: hours."""
    total, one, epochs, layers = 0.0, 0.0, 0, 0.0
    for kind in ("distance", "depth"):
        y, dev_y = _gold(kind, train), _gold(kind, dev)
        for layer in range(N_LAYERS):
            x, dev_x = _vectors(plan, "train", layer), _vectors(plan, "dev", layer)
            started = time.process_time()
            run = reference.train(_probe(kind, x[0].shape[1]), x, y, dev_x, dev_y)
            seconds = time.process_time() - started
            total += seconds
            layers += seconds / run.epochs
            if (layer, kind) == (LAYER, "distance"):
                one, epochs = seconds, run.epochs
    return (
        Reference(one / epochs, f"a whole run of {epochs} epochs, divided"),
        Reference(layers, "whole runs, each divided by its epochs"),
        Reference(one, f"{epochs} epochs"),
        Reference(total),
    )


def _decoding(
    vectors: Sequence[Tensor], dev: Sequence[reference.Observation], every: int
) -> tuple[Reference, Reference]:
    """Trees of dev from two probes, and all their scores."""
    observations, x = dev[::every], vectors[::every]
    probes = [_probe(kind, x[0].shape[1]) for kind in ("distance", "depth")]
    gold_distances, gold_depths = _gold("distance", observations), _gold("depth", observations)
    distances: list[np.ndarray] = []
    depths: list[np.ndarray] = []

    def decode() -> None:
        with torch.no_grad():
            for one in x:
                distances.append(probes[0](one[None])[0].numpy())
                depths.append(probes[1](one[None])[0].numpy())
                reference.decode(distances[-1], depths[-1])

    def score() -> None:
        reference.uuas(observations, distances)
        reference.root_accuracy(observations, depths)
        reference.distance_spearman(gold_distances, distances)
        reference.depth_spearman(gold_depths, depths)

    how = f"1/{every}, scaled" if every > 1 else ""
    seconds = [timed(call, repeats=1, warm_up=False).cpu for call in (decode, score)]
    decoded, scored = (Reference(cpu * len(dev) / len(x), how) for cpu in seconds)
    return decoded, scored
