"""The main job on a GPU: wall seconds, and how near the card's peak a training step comes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import inside
from benchmarks.clock import in_own_process, timed
from benchmarks.plan import LAYER, N_LAYERS, RANK, Plan
from benchmarks.table import Line, number
from structprobe import Encoder, score
from structprobe.encoder.vectors import WordVectors
from structprobe.models.embedded import embedded_model

# The layer curve that is held to a limit: a model of 24 layers, with its embeddings.
WIDE_LAYERS, WIDE_SIZE, WIDE_SECONDS = 25, 1024, 60
SQUARE = 8192  # side of the bare product by which the card's peak is told


def on_device(plan: Plan, device: str) -> Iterator[Line]:
    """Measure the stages that a GPU takes part in, each in a process of its own."""
    for stage in (encode, train_one, curve, wide_curve):
        yield from in_own_process(stage, plan, device)


def encode(plan: Plan, device: str) -> list[Line]:
    """Encode dev into the store."""
    dev, encoder = plan.bank("dev"), Encoder(embedded_model(), device=device)

    def into_store() -> None:
        with tempfile.TemporaryDirectory() as folder:
            encoder.encode(dev, cache=folder, progress=False)

    name = f"encode EWT dev, all layers, into the store, {device}"
    return [_seconds(name, timed(into_store).wall)]


def train_one(plan: Plan, device: str) -> list[Line]:
    """Train one layer's distance probe for an epoch."""
    bank, encoded = plan.vectors("train", LAYER)
    vectors = encoded.layer(LAYER)
    fit = partial(
        inside.fit_distances, vectors, bank, inside.one_sentence(vectors, bank), device=device
    )
    fit(max_steps=2)  # gets the device warm
    steps = -(-len(bank) // 32)
    name = f"train one layer, one distance epoch (EWT train, layer {LAYER}, rank {RANK}), {device}"
    return [_seconds(name, inside.seconds_of_steps(fit, steps).wall)]


def curve(plan: Plan, device: str) -> list[Line]:
    """Train both probes of all layers to convergence, and score them on dev."""
    (train, vectors), (dev, dev_vectors) = (plan.vectors(part) for part in ("train", "dev"))
    started = time.perf_counter()
    probes = inside.fit_layers(vectors, train, (dev_vectors, dev), device=device)
    best = [
        probe.evaluate(dev_vectors.layer(layer), dev, punct="xpos").uuas
        for layer, probe in probes.items()
    ]
    seconds = time.perf_counter() - started
    told = ", ".join(f"{100 * (uuas or 0):.1f}" for uuas in best)
    return [_seconds(f"whole curve, {N_LAYERS} layers, {device} (dev UUAS {told})", seconds)]


def wide_curve(
    plan: Plan, device: str, n_layers: int = WIDE_LAYERS, width: int = WIDE_SIZE
) -> list[Line]:
    """Fit all layers on random vectors of EWT's words; tell how near the peak its steps come."""
    train, dev = plan.bank("train"), plan.bank("dev")
    # One layer's numbers serve for all: they are laid out anew for each, and cost the same.
    vectors, dev_vectors = (dict.fromkeys(range(n_layers), _random(b, width)) for b in (train, dev))
    room = 8e-9 * n_layers * width * (train.n_words + dev.n_words)  # twice what they take
    rank = min(RANK, width)
    settings = {"device": device, "memory_gb": room, "rank": rank}
    fit = partial(inside.fit_layers, vectors, train, (dev_vectors, dev), **settings)

    def whole() -> None:
        for layer, probe in fit().items():
            score(dev, probe.predictions(dev_vectors[layer]), punct="xpos")

    fit(max_steps=2)  # gets the device warm
    seconds = timed(whole, repeats=1, warm_up=False).wall
    steps = -(-len(train) // 32)
    epoch = inside.seconds_of_steps(fit, steps).wall
    # Two products of each kind of probe, of two operations a number.
    operations = 2 * 2 * 2 * n_layers * train.n_words * width * rank
    share = operations / epoch / peak(device)
    name = f"{n_layers} layers × {width} wide, random vectors of EWT's words, rank {rank}, {device}"
    limit = f"under {WIDE_SECONDS} s"
    return [
        Line(f"whole curve, {name}", f"{number(seconds)} s", limit, seconds < WIDE_SECONDS),
        Line(
            "its training steps: the large products' share of the peak of one bare product",
            f"{100 * share:.0f} %",
            "–",
            True,
        ),
    ]


def peak(device: str, side: int = SQUARE) -> float:
    """Tell the operations a second of a bare square product in float32: the best of five."""
    left, right = (torch.randn(side, side, device=device) for _ in range(2))

    def product() -> None:
        float((left @ right)[0, 0])  # waits for the device

    fastest = min(timed(product, repeats=1, warm_up=turn == 0).wall for turn in range(5))
    return 2 * side**3 / fastest


def _random(bank: Any, width: int) -> WordVectors:
    """Draw vectors for all words of a treebank."""
    rng = np.random.default_rng(0)
    offsets = np.cumsum([0, *map(len, bank)])
    return WordVectors(rng.standard_normal((bank.n_words, width), dtype=np.float32), offsets)


def _seconds(name: str, seconds: float) -> Line:
    """Tell wall seconds, which are held to nothing."""
    return Line(name, f"{number(seconds)} s", "–", True)
