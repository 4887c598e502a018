"""Estimating the disk space, memory and time of a sweep before it runs, from a few batches."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.experiments.config import SweepConfig, Training, checked_config
from structprobe.experiments.fit import make_probe
from structprobe.experiments.runs.grid import Grid, all_fits, known_products
from structprobe.experiments.runs.groups import room_of
from structprobe.experiments.runs.memory_plan import plan_memory
from structprobe.experiments.runs.run import Banks, Run
from structprobe.experiments.sweep import baseline_methods
from structprobe.output_paths import nearest_existing
from structprobe.probe.training.recipes import RECIPES
from structprobe.progress import progress_bar
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.rows import bank_name
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

LONGEST, SAMPLED, FITTED = 8, 64, 256  # sentences to measure on
FEW_STEPS, MORE_STEPS = 10, 20  # the default recipe looks at dev as often in both
CARD_BYTES = 10_000  # config, card and picture of a saved probe, about


def plan_sweep(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    test: Sequence[Sentence] | None = None,
    *,
    folder: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    ranks: Iterable[int | None] = (None,),
    seeds: Iterable[int] = (0,),
    punct: str | None = None,
    config: SweepConfig | None = None,
) -> dict[str, Any]:
    """Estimate the cost of `sweep` with the same arguments. Nothing is written.

    The longest sentences and an even sample are run through the model, and probes are trained for a
    few steps on random vectors of the same shapes.

    Parameters
    ----------
    encoder, train, dev, test, folder, layers, ranks, seeds, punct, config
        As for `sweep`.

    Returns
    -------
    dict
        ``model`` and ``train``, their names; the numbers of ``runs``, ``runs_done``, ``layers`` and
        ``n_words``; the sizes of predictions (``bytes_kept``) and probes (``bytes_saved``) of the
        remaining runs; of word vectors on disk, ``bytes_per_layer`` and ``bytes_in_all``, and
        ``bytes_free`` there; of vectors streamed from the temporary folder, ``bytes_streamed`` (0
        if each layer fits into memory), and the free space there, ``bytes_temporary``; the memory
        of one process, ``peak_bytes`` (None if unknown); ``encode_seconds`` and ``train_seconds``
        of the remaining runs, one after another (an upper bound with early stopping).

    Raises
    ------
    ProbeError, ScoreError, ResultError
        As for `sweep`.
    """
    config = checked_config(config, SweepConfig)
    done = ResultsFolder(folder).keys if check_folder(folder) else set()
    banks = Banks.of(train, dev, test, punct, allow_withheld=config.allow_withheld)
    grid, training = Grid.of(encoder, layers, ranks, seeds), known_products(config.training)
    fits = all_fits(encoder, banks, grid, training, config)
    runs = [run for one in fits for run in one.runs]
    todo = [run for run in runs if run.key not in done]
    # Of controls, neither predictions nor probes are saved.
    real = {run.key for one in fits if one.banks.control is None for run in one.runs}
    to_save = [run for run in todo if run.key in real]
    # What needs no model costs next to nothing, and is among the rows.
    methods = baseline_methods(grid.seeds, banks) if config.baselines else []
    every = [*(run for run, _ in methods), *runs]
    sentences = sorted((s for bank in banks.parts.values() for s in bank), key=len)
    n_words = sum(map(len, sentences))
    per_layer = n_words * encoder.hidden_size * encoder.bytes_per_value
    to_encode = {(one.model, run.layer) for one in fits for run in one.runs if run.key not in done}
    passes = len({model for model, _ in to_encode})
    place = Path(os.path.realpath(folder if config.cache is None else config.cache))
    train_seconds = 0.0
    # Of each sentence, a float32 for each pair of words, and what words take.
    kept = (2 * n * (n - 1) + 12 * n for n in map(len, banks.scored or ()))
    # Of each saved probe, two float32 matrices and what describes them.
    saved = (2 * run.values["rank"] * encoder.hidden_size * 4 + CARD_BYTES for run in to_save)
    train_sets: dict[int, list[Treebank]] = {}  # Of the remaining runs, by rank
    for one in fits:
        for run in (run for run in one.runs if run.key not in done):
            train_sets.setdefault(run.values["rank"], []).append(one.banks.train)
    with progress_bar("measure", 1 + len(train_sets), "part", shown=config.progress) as advance:
        encode_seconds = passes * n_words * _seconds_a_word(encoder, sentences, grid.layers)
        encode_peak = _peak_bytes()
        advance(1)
        for rank, sets in train_sets.items():
            a_word, a_step = _seconds_of_training(banks, encoder.hidden_size, rank, training)
            train_seconds += sum(
                a_word * own.n_words + a_step * _most_steps(training, len(own)) for own in sets
            )
            advance(1)
    train_peak = _peak_of_training(banks, encoder, len(grid.layers), training)
    return {
        "model": encoder.origin(0)["model"], "train": bank_name(banks.train),
        "runs": len(every), "runs_done": sum(run.key in done for run in every),
        "layers": len(grid.layers),
        "bytes_kept": config.keep_predictions * len(to_save) * sum(kept),
        "bytes_saved": config.save_probes * sum(saved), "n_words": n_words,
        "bytes_per_layer": per_layer, "bytes_in_all": per_layer * len(to_encode),
        "bytes_free": shutil.disk_usage(nearest_existing(place)).free,
        "bytes_streamed": _streamed_bytes(banks, encoder, todo, training),
        "bytes_temporary": shutil.disk_usage(tempfile.gettempdir()).free,
        "peak_bytes": encode_peak and max(encode_peak, train_peak),
        "encode_seconds": encode_seconds, "train_seconds": train_seconds,
    }  # fmt: skip


def plan_sweeps(
    models: Iterable[str],
    load: Callable[[str], Encoder],
    banks: Iterable[Sequence[Treebank | None]],
    how: Mapping[str, Any],
    **grid: Any,
) -> list[dict[str, Any]]:
    """Plan the sweeps of several models and treebanks; a model that does not fit is not loaded.

    `how` says how models are loaded, as for `plan_memory`, whose result is in ``memory``.
    """
    plans: list[dict[str, Any]] = []
    for name in models:
        memory = plan_memory(name, **how)
        if memory["ways"][0]["fits"] is False:
            plans.append({"model": name, "memory": memory})
            continue
        encoder = load(name)
        for train, dev, test in banks:
            assert train is not None  # as the first of parts is
            plans.append({**plan_sweep(encoder, train, dev, test, **grid), "memory": memory})
    return plans


def _seconds_a_word(
    encoder: Encoder, sentences: Sequence[Sentence], layers: Sequence[int]
) -> float:
    """Measure the forward pass on an even sample of sentences that are sorted by length."""
    encoder.encode(sentences[-LONGEST:], layers=layers, progress=False)  # memory's peak; warm-up
    sample = _even(sentences, SAMPLED)
    started = time.perf_counter()
    encoder.encode(sample, layers=layers, progress=False)
    return (time.perf_counter() - started) / sum(map(len, sample))


def _seconds_of_training(
    banks: Banks, hidden_size: int, rank: int, training: Training
) -> tuple[float, float]:
    """Measure a few steps: what a training word takes before them, and what a step takes."""
    sample = _even(sorted(banks.train, key=len), FITTED)
    generator = np.random.default_rng(0)
    dev = banks.dev or _even(banks.train, len(banks.train) // 10)  # as many as are held out
    share = len(sample) / len(banks.train)
    dev_sample = _even(sorted(dev, key=len), max(1, round(share * len(dev))))
    vectors, dev_vectors = (
        [generator.standard_normal((len(s), hidden_size), np.float32) for s in part]
        for part in (sample, dev_sample)
    )
    taken = []
    for steps in (FEW_STEPS, FEW_STEPS, MORE_STEPS):  # the first time is a warm-up
        probe = make_probe(rank, 0, replace(training, max_steps=steps, memory_gb=None))
        started = time.perf_counter()
        probe.fit(vectors, sample, dev=(dev_vectors, dev_sample))
        taken.append(time.perf_counter() - started)
    a_step = max(0.0, taken[2] - taken[1]) / (MORE_STEPS - FEW_STEPS)
    before = max(0.0, taken[1] - FEW_STEPS * a_step)
    return before / sum(map(len, sample)), a_step


def _most_steps(training: Training, n_sentences: int) -> int:
    """Return the limit on training steps, a recipe's own or another."""
    if training.max_steps is not None:
        return training.max_steps
    numbers: Any = RECIPES[training.recipe]
    if hasattr(numbers, "max_epochs"):
        return int(numbers.max_epochs * -(-n_sentences // numbers.batch_size))
    return int(numbers.max_steps)


def _streamed_bytes(banks: Banks, encoder: Encoder, runs: Sequence[Run], training: Training) -> int:
    """Tell what vectors that are streamed take: a file for each fit that is under way."""
    from structprobe.devices import find_device
    from structprobe.probe.training.joint_fit import most_at_once

    a_layer = _layer_bytes(banks, encoder, training.products)
    if a_layer <= room_of(training.memory_gb):
        return 0
    fits = 2 * len({(run.values["method"], run.layer, run.values["seed"]) for run in runs})
    return a_layer * min(fits, most_at_once(find_device(training.device)))


def _peak_of_training(banks: Banks, encoder: Encoder, n_layers: int, training: Training) -> int:
    """Estimate a training process: what it holds now, vectors, gold distances, predictions."""
    vectors = n_layers * _layer_bytes(banks, encoder, training.products)
    pairs = sum(len(sentence) ** 2 for bank in banks.parts.values() for sentence in bank)
    # int16 gold distances, the same in batches with their weights, float32 predictions.
    return _peak_bytes() + min(vectors, room_of(training.memory_gb)) + pairs * (2 + 2 * 4 + 4)


def _layer_bytes(banks: Banks, encoder: Encoder, products: str) -> int:
    """Give the bytes of one layer as it is trained on."""
    import torch

    from structprobe.probe.training.streaming import laid_out_bytes

    n_words = banks.train.n_words, banks.dev.n_words if banks.dev else 0
    return laid_out_bytes(*n_words, encoder.hidden_size, getattr(torch, products))


def _peak_bytes() -> int:
    """Give the most memory that this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _even(ordered: Sequence[Sentence], count: int) -> list[Sentence]:
    """Take some of sorted sentences, evenly from the shortest to the longest."""
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]
