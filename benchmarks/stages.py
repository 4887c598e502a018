"""The stages of the main job, each timed beside what it cannot do without."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clock import peak_memory, timed
from structprobe import Encoder, StructuralProbe, Treebank, score
from structprobe.experiments.demo import embedded_model
from structprobe.probe.adam import Adam
from structprobe.probe.batches import Pool, fixed_batches, mixed_batches, pack, rows_of
from structprobe.probe.geometry import distance_loss
from structprobe.probe.inputs import read_words
from structprobe.probe.recipes import Whitened
from structprobe.probe.whitening import lay_out
from structprobe.trees import gold_distances

LAYER, RANK = 4, 384


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, what it gave, and what it is held to."""

    stage: str
    figure: str
    limit: str
    holds: bool


@dataclass(frozen=True)
class Bench:
    """What all stages share."""

    folder: Path
    encoder: Encoder
    cache: str

    def path(self, part: str) -> Path:
        """Name the file of one part of English EWT."""
        return self.folder / "UD_English-EWT" / f"en_ewt-ud-{part}.conllu"


def stages(folder: Path) -> Iterator[Line]:
    """Measure all stages, one after another."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(folder, Encoder(embedded_model(), device="cpu"), cache)
        yield from _command_line()
        yield from _reading(bench)
        yield from _memory(bench)
        yield from _encoding(bench)
        yield from _training(bench)
        yield from _scoring(bench)


def _line(stage: str, value: float, limit: float, unit: str, told: str = "") -> Line:
    return Line(stage, f"{value:.2f} {unit}{told}", f"at most {limit:g} {unit}", value <= limit)


def _command_line() -> Iterator[Line]:
    command = [sys.executable, "-m", "structprobe", "--help"]
    seconds = timed(lambda: subprocess.run(command, check=True, capture_output=True), repeats=5)
    yield _line("structprobe --help, wall", seconds.wall, 0.3, "s")


def _reading(bench: Bench) -> Iterator[Line]:
    seconds = timed(lambda: Treebank.read(bench.path("train")), repeats=3)
    yield _line("read EWT train", seconds.cpu, 10, "CPU s")
    heads = [sentence.heads for sentence in Treebank.read(bench.path("train"))]
    seconds = timed(lambda: gold_distances(heads))
    yield _line("gold distances of EWT train", seconds.cpu, 2, "CPU s")


def _memory(bench: Bench) -> Iterator[Line]:
    peak = peak_memory(
        "from structprobe import Encoder, Treebank\n"
        f"bank = Treebank.read({str(bench.path('train'))!r})\n"
        f"Encoder({embedded_model()!r}, device='cpu').encode(bank, cache={bench.cache!r})"
    )
    yield _line("peak memory of encoding EWT train, all layers, cache on disk", peak, 1.5, "GB")


def _encoding(bench: Bench) -> Iterator[Line]:
    dev = Treebank.read(bench.path("dev"))
    calls: list[dict[str, Any]] = []

    def keep(_: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert not args
        calls.append(kwargs)

    model = bench.encoder._loaded.model  # the bare model, to send the same batches through it
    handle = model.register_forward_pre_hook(keep, with_kwargs=True)
    bench.encoder.encode(dev)
    handle.remove()

    def bare() -> None:
        with torch.inference_mode():
            for kwargs in calls:
                model(**kwargs)

    def into_store() -> None:
        with tempfile.TemporaryDirectory() as folder:
            bench.encoder.encode(dev, cache=folder)

    def one_at_a_time() -> None:
        for sentence in dev[:200]:
            bench.encoder.encode([sentence])

    # In turn, so that both see the same machine.
    pairs = [(timed(bare, repeats=1), timed(into_store, repeats=1)) for _ in range(3)]
    ratios = sorted(ours.cpu / floor.cpu for floor, ours in pairs)
    yield _line(
        "encode EWT dev, all layers, into the store",
        ratios[1],
        1.15,
        "× the bare forward passes",
        f" ({pairs[1][1].cpu:.1f} CPU s)",
    )
    alone = timed(one_at_a_time, repeats=1).wall * len(dev) / 200
    faster = alone / sorted(ours.wall for _, ours in pairs)[1]
    yield Line(
        "encode EWT dev, against a sentence at a time (first 200, scaled)",
        f"{faster:.1f} × as fast",
        "at least 3 ×",
        faster >= 3,
    )


def _training(bench: Bench) -> Iterator[Line]:
    train = Treebank.read(bench.path("train"))
    vectors = bench.encoder.encode(train, layers=LAYER, cache=bench.cache).layer(LAYER)
    words = read_words(vectors)
    pool = Pool(words.lengths, pack(gold_distances([one.heads for one in train])), pairs=True)
    parts = mixed_batches(words.lengths, Whitened().batch_size, np.random.default_rng(0))
    batches, word_of_row = fixed_batches(pool, parts)
    row_of_word = np.full(pool.n_words + 1, -1)
    row_of_word[word_of_row] = np.arange(len(word_of_row))
    values = torch.zeros(len(word_of_row), words.hidden_size)
    lay_out(words, None, values, row_of_word[:-1], centred=True)
    components = torch.empty(RANK, values.shape[1]).uniform_(-0.05, 0.05)
    gradient, adam = torch.empty_like(components), Adam(components)

    def epoch(vectors: torch.Tensor) -> None:
        for batch in batches:
            distance_loss(components, rows_of(vectors, batch.rows), batch, gradient)
            adam.step(components, gradient, 1e-4)

    for dtype, limit in ((torch.float32, 1.3), (torch.bfloat16, 0.9)):
        typed = values.to(dtype)
        # In turn, so that both see the same machine.
        pairs = [
            (
                timed(lambda: _bare_products(values), repeats=1),
                timed(partial(epoch, typed), repeats=1),
            )
            for _ in range(5)
        ]
        floor, ours = sorted(pairs, key=lambda pair: pair[1].cpu / pair[0].cpu)[2]
        yield _line(
            f"one distance-probe epoch, EWT train, layer 4, rank 384, {str(dtype)[6:]}",
            ours.cpu / floor.cpu,
            limit,
            "× the two bare float32 products",
            f" ({ours.cpu:.2f} and {floor.cpu:.2f} CPU s)",
        )


def _bare_products(values: torch.Tensor) -> None:
    """H Bᵀ and its transpose with the gradient, all words, float32."""
    components = torch.randn(RANK, values.shape[1])
    projected = values @ components.T  # (n_words, rank)
    projected.T @ values  # (rank, hidden_size)


def _scoring(bench: Bench) -> Iterator[Line]:
    dev = Treebank.read(bench.path("dev"))
    vectors = bench.encoder.encode(dev, layers=LAYER).layer(LAYER)
    probe = StructuralProbe(max_steps=200, random_state=0).fit(vectors, dev, dev=(vectors, dev))
    seconds = timed(lambda: score(dev, probe.predictions(vectors), punct="xpos"))
    yield _line("decoding and all scores of EWT dev", seconds.cpu, 2, "CPU s")
