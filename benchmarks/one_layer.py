"""What one layer costs: passes up to it beside whole ones, and the memory that they hold."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import torch

from benchmarks.clock import held_memory, in_own_process, in_turn, peak_of_own
from benchmarks.plan import Plan
from benchmarks.quality import decoder
from benchmarks.table import Line, number
from structprobe import Encoder
from structprobe.encoder.subwords.batching import lay_out
from structprobe.models.reading import layers_of_pass, reading, run_model

MORE = 1.1  # what a pass up to a layer may cost beside its share of the layers
EVERY = {"MiniLM": 10, "SmolLM2": 100}  # one sentence of so many, of EWT dev
ROWS, POSITIONS = 32, 256  # of the batch whose memory is told
NOISE = 3.0  # MB between two calls of the same


def one_layer(plan: Plan) -> Iterator[Line]:
    """Measure both models, each figure in a process of its own."""
    for model in EVERY:
        yield from in_own_process(times, plan, model)
        peaks = {what: in_own_process(peak, plan, model, what) for what in ("none", "one", "all")}
        size = in_own_process(layer_size, plan, model)
        told = "; ".join(f"{what} {number(mb)} MB" for what, mb in peaks.items())
        yield Line(
            f"{model}: memory of a pass of {ROWS} × {POSITIONS} that gives no, one or all layers",
            told,
            f"one: at most none + a layer of {number(size)} MB",
            peaks["one"] <= peaks["none"] + size + NOISE,
        )


def times(plan: Plan, name: str) -> list[Line]:
    """Time passes that end at a layer in turn with whole passes without hidden states."""
    encoder = _encoder(plan, name)
    model, how = encoder.loaded.model, (encoder.loaded.batching, encoder.loaded.places)
    passes = [
        (torch.from_numpy(rows.ids), torch.from_numpy(rows.mask))
        for batch in encoder.batches(plan.bank("dev")[:: EVERY[name]])
        for rows in lay_out(batch.pieces, batch.layout)
    ]

    def whole() -> None:
        for ids, mask in passes:
            run_model(model, ids, mask, output_hidden_states=False)

    def up_to(layer: int) -> Callable[[], None]:
        def run() -> None:
            for ids, mask in passes:
                list(layers_of_pass(model, ids, mask, [layer], *how))

        return run

    n = encoder.n_layers
    shares = {}
    with reading(model):
        whole()
        for layer in sorted({0, n // 4, n // 2, 3 * n // 4, n - 1, n}):
            ours, floor = in_turn(up_to(layer), whole, repeats=5)
            shares[layer] = ours.cpu / floor.cpu
    return [
        Line(
            f"{name}: a pass up to layer {layer} of {n}, CPU time of a whole one",
            f"{share:.3f}",
            f"at most {MORE:g} × {layer + 1}/{n + 1} = {MORE * (layer + 1) / (n + 1):.3f}",
            share <= MORE * (layer + 1) / (n + 1),
        )
        for layer, share in shares.items()
    ]


def peak(plan: Plan, name: str, what: str) -> float:
    """Tell the memory, in MB, that passes without layers, with one or with all hold at most."""
    encoder = _encoder(plan, name)
    model, how = encoder.loaded.model, (encoder.loaded.batching, encoder.loaded.places)
    ids = torch.randint(5, 1000, (ROWS, POSITIONS), generator=torch.Generator().manual_seed(0))
    mask, middle = torch.ones_like(ids), encoder.n_layers // 2

    def run() -> None:
        if what == "one":
            list(layers_of_pass(model, ids, mask, [middle], *how))
        else:
            run_model(model, ids, mask, output_hidden_states=what == "all")

    with reading(model):
        run_model(model, ids[:1], mask[:1])
        before = held_memory()
        return statistics.median(peak_of_own(run) for _ in range(3)) - before


def layer_size(plan: Plan, name: str) -> float:
    """Tell the size of one layer of the batch whose memory is told, in MB."""
    return ROWS * POSITIONS * _encoder(plan, name).hidden_size * 4 / 2**20


def _encoder(plan: Plan, name: str) -> Encoder:
    """Load a model by its name in the notes."""
    return plan.encoder() if name == "MiniLM" else decoder()
