"""Attention and perturbed masking, beside the bare passes that they need.

These stages need no store of vectors: ``python -m benchmarks.attention`` measures them alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.clock import in_own_process, in_turn, peak_memory
from benchmarks.plan import Plan
from benchmarks.table import STAGE_HEADER, Limit, Stage, at_most, stage_row
from structprobe import AttentionMax, AttentionMST, Encoder, Recoverer, Treebank, WordAttentions
from structprobe.attention.forward import attentions_of_pass
from structprobe.encoder.subwords.batching import lay_out
from structprobe.masking.impacts import MaskedImpacts
from structprobe.masking.masked_copies import MaskedCopies, MaskedRows
from structprobe.models.reading import layers_of_pass

Job = Callable[[Encoder, Treebank], object]
MASKED_EVERY = 40  # of EWT dev: the passes of perturbed masking grow with the square of a sentence
THROUGHPUT = 0.8  # of the bare passes


def stages(plan: Plan) -> Iterator[Stage]:
    """Measure all stages, one after another."""
    for name, job, times in (
        ("attention of EWT dev as matrices of words", _read, 2),
        ("all heads of all layers on EWT dev, max", _max, 3),
        ("the same, mst, the decoder's root", _mst, 10),
        ("the same, mst, the gold root", _mst_gold_root, 10),
    ):
        yield in_own_process(_measure, plan, name, job, times)
    yield in_own_process(_measure_masking, plan)


def _measure(plan: Plan, name: str, job: Job, times: float) -> Stage:
    """Do a job, in turn with the bare passes."""
    dev, encoder = plan.bank("dev"), plan.encoder()
    # Loads what the job loads before the clock starts.
    job(encoder, dev[:20])
    ours, floor = in_turn(lambda: job(encoder, dev), lambda: _bare(encoder, dev))
    limits: tuple[Limit, ...] = (at_most(ours.cpu / floor.cpu, times, "× floor"),)
    return Stage(name, ours, peak_memory(), floor.cpu, limits=limits)


def _measure_masking(plan: Plan) -> Stage:
    """Read the impacts of perturbed masking, in turn with bare passes over the same rows."""
    bank, encoder = plan.bank("dev")[::MASKED_EVERY], plan.encoder()
    model, asked = encoder.loaded.model, [encoder.n_layers]
    passes = [
        (torch.from_numpy(rows.ids), torch.from_numpy(rows.mask))
        for rows in _masked_rows(encoder, bank)
    ]

    def bare() -> None:
        with torch.inference_mode():
            for ids, mask in passes:
                list(layers_of_pass(model, ids, mask, asked))

    _mask(encoder, bank[:2])  # loads what it loads before the clock starts
    ours, floor = in_turn(lambda: _mask(encoder, bank), bare)
    limits = (at_most(ours.cpu / floor.cpu, 1 / THROUGHPUT, "× floor"),)
    name = f"perturbed masking of every {MASKED_EVERY}th sentence of EWT dev"
    return Stage(name, ours, peak_memory(), floor.cpu, limits=limits)


def _masked_rows(encoder: Encoder, bank: Treebank) -> Iterator[MaskedRows]:
    """Give the rows that perturbed masking sends through the model."""
    batches = list(encoder.batches(bank))
    pieces = [one for batch in batches for one in batch.pieces]
    mask = encoder.loaded.tokenizer.mask_token_id
    copies = MaskedCopies(pieces, batches[-1].layout, mask)
    return (copies.rows(start, stop) for start, stop in copies.batches)


def _mask(encoder: Encoder, bank: Treebank) -> None:
    for _ in MaskedImpacts(encoder).read(bank, progress=False):
        pass


def _bare(encoder: Encoder, bank: Treebank) -> None:
    """Send the same batches through the bare model, which gives its attentions."""
    attending = WordAttentions(encoder).attending
    with torch.inference_mode():
        for batch in encoder.batches(bank):
            for rows in lay_out(batch.pieces, batch.layout):
                ids, mask = torch.from_numpy(rows.ids), torch.from_numpy(rows.mask)
                attentions_of_pass(encoder.loaded, attending, ids, mask)


def _read(encoder: Encoder, bank: Treebank) -> None:
    for _ in WordAttentions(encoder).read(bank, progress=False):
        pass


def _max(encoder: Encoder, bank: Treebank) -> Recoverer:
    return AttentionMax(encoder, progress=False).fit(bank)


def _mst(encoder: Encoder, bank: Treebank) -> Recoverer:
    return AttentionMST(encoder, progress=False).fit(bank)


def _mst_gold_root(encoder: Encoder, bank: Treebank) -> Recoverer:
    return AttentionMST(encoder, gold_root=True, progress=False).fit(bank)


def main() -> None:
    """Print a row as each stage is measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that holds UD_English-EWT")
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth sentence")
    given = parser.parse_args()
    print(STAGE_HEADER)
    for stage in stages(Plan(given.folder, "", given.every)):
        print(stage_row(stage), flush=True)


if __name__ == "__main__":
    main()
