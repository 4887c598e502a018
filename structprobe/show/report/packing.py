"""Predictions packed small for a page: numbers of one or two bytes, deflated, as base64.

Distances and depths are rounded to 256 steps between the least and the greatest of a sentence,
which is finer than a picture shows; trees were decoded before and are exact.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.progress import progress_bar
from structprobe.scores.table import column
from structprobe.show.report.saved_predictions import KeptRun, KeptSeries
from structprobe.treebank.sentence import Sentence

PAIR_BYTES = 10_000_000  # distances on a page, of one byte each before they are deflated


class Explorer:
    """What the explorer of a page needs."""

    def __init__(self, kept: Sequence[KeptSeries], progress: bool | None = None) -> None:
        self.blocks: dict[str, str] = {}
        runs = [run for one in kept for run in one.runs]
        banks = {_bank_of(run): run for run in runs}
        longest = _longest(runs)
        texts = {id(run.sentences): run.sentences for run in runs}
        self.left_out = sum(len(one) > longest for text in texts.values() for one in text)
        series: list[dict[str, Any]] = []
        with progress_bar("pack", len(runs), "run", shown=progress) as advance:
            for one in kept:
                place, told = list(banks).index(_bank_of(one.runs[0])), []
                for run in one.runs:
                    name = f"run-{len(self.blocks)}"
                    self.blocks[name] = pack(run, longest)
                    has: dict[str, Any] = {
                        key: _all_have(run, key) for key in ("distances", "depths")
                    }
                    has["relations"] = _relations(run)[0]
                    told.append({"name": run.name, "block": name, **has})
                    advance(1)
                shown = {"name": one.series.name, "bank": place, "best": one.best, "runs": told}
                series.append(shown)
        packed = [_bank(run, longest) for run in banks.values()]
        self.data: dict[str, Any] = {"banks": packed, "series": series}


def pack(run: KeptRun, longest: int) -> str:
    """Pack the numbers of one run."""
    packed: list[tuple[NDArray[Any], NDArray[Any]]] = []
    if _all_have(run, "distances"):
        # What is above the diagonal; where both directions differ, their mean.
        short = (np.asarray(p.distances if len(p) <= longest else []) for p in run.predictions)
        above = [((d + d.T) / 2)[np.triu_indices(len(d), 1)] if len(d) else d for d in short]
        packed.append(_quantise(above))
    if _all_have(run, "depths"):
        packed.append(_quantise([np.asarray(one.depths) for one in run.predictions]))
    nothing = np.zeros(len(run.sentences))
    right = column(run.scores.table, "right_edges") if run.scores else nothing
    heads = np.concatenate([np.empty(0), *(one.heads for one in run.predictions)])
    words = [one.astype("<u2") for one in (right, run.drawn, heads, _relations(run)[1])]
    parts = [*(bounds for bounds, _ in packed), *words, *(steps for _, steps in reversed(packed))]
    told = b"".join(part.tobytes() for part in parts)
    return base64.b64encode(zlib.compress(told, 9)).decode()


def _quantise(values: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Round the values of each sentence to 256 steps between their least and greatest."""
    bounds = np.array([[one.min(), one.max()] if len(one) else [0, 0] for one in values], "<f4")
    rounded = [
        np.round(255 * (one - low) / (high - low)) if high > low else np.zeros(len(one))
        for one, (low, high) in zip(values, bounds, strict=True)
    ]
    steps = np.clip(np.concatenate([np.empty(0), *rounded]), 0, 255)
    return bounds, steps.astype(np.uint8)


def _longest(runs: Sequence[KeptRun]) -> int:
    """Tell up to how many words the distances of sentences fit into a page."""
    lengths = np.sort(
        [len(one) for run in runs if _all_have(run, "distances") for one in run.predictions]
    )
    taken = np.cumsum(lengths * (lengths - 1) // 2)
    if not len(taken) or taken[-1] <= PAIR_BYTES:
        return int(max((len(one) for run in runs for one in run.sentences), default=0))
    first_out = lengths[np.searchsorted(taken, PAIR_BYTES, side="right")]
    return int(first_out) - 1


def _relations(run: KeptRun) -> tuple[list[str], NDArray[Any]]:
    """Name the relations that a run predicts, and give that of each word by its place there."""
    # -> (n_words,), of nothing where it predicts none
    if not _all_have(run, "deprels"):
        return [], np.zeros(0)
    flat = [name for one in run.predictions for name in one.deprels or ()]
    names, places = np.unique(np.array(flat, dtype=str), return_inverse=True)
    return names.tolist(), places


def _all_have(run: KeptRun, name: str) -> bool:
    return all(getattr(one, name) is not None for one in run.predictions)


def _bank_of(run: KeptRun) -> tuple[int, object]:
    """Tell a run's treebank from others; by other protocols it has other scored edges."""
    return id(run.sentences), run.row["punct"]


def _bank(run: KeptRun, longest: int) -> dict[str, Any]:
    edges = column(run.scores.table, "edges") if run.scores else np.zeros(len(run.sentences))
    return {
        "name": run.row["treebank"],
        "longest": longest,
        "edges": edges.astype(int).tolist(),
        "sentences": list(map(_sentence, run.sentences)),
    }


def _sentence(sentence: Sentence) -> dict[str, Any]:
    """Tell one sentence, without what it lacks."""
    told = {
        "id": sentence.sent_id,
        "words": sentence.words,
        "heads": None if sentence.heads is None else sentence.heads.tolist(),
        "deprels": sentence.deprels,
        "upos": sentence.upos,
    }
    return {name: value for name, value in told.items() if value is not None}
