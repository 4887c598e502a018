"""Sweep a grid of layers, ranks and seeds into a folder of results, and take it up again."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structprobe.errors import ScoreError
from structprobe.experiments.folder.results import ResultsFolder, check_folder
from structprobe.experiments.folder.rows import Row, per_cent
from structprobe.experiments.folder.saved_runs import has_predictions
from structprobe.experiments.folder.vectors_folder import check_cache, vectors_folder
from structprobe.experiments.runs.backends import HERE, Backend
from structprobe.experiments.runs.grid import (
    Run,
    baseline_run,
    check_ranks,
    check_seeds,
    check_training,
    parse_layers,
    probe_runs,
)
from structprobe.experiments.runs.groups import Group, groups_of
from structprobe.experiments.runs.run import Banks, Outcome, outcome, timed
from structprobe.progress import progress_bar
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.random_tree import RandomTree
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)


def sweep(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    test: Sequence[Sentence] | None = None,
    *,
    folder: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    ranks: Iterable[int | None] = (None,),
    seeds: Iterable[int] = (0,),
    recipe: str = "whitened",
    max_steps: int | None = None,
    products: str = "float32",
    punct: str | None = None,
    baselines: bool = True,
    untrained: bool = False,
    cache: str | os.PathLike[str] | None = None,
    keep_predictions: bool = True,
    save_probes: bool = False,
    command: str | None = None,
    device: str = "auto",
    backend: Backend = HERE,
    memory_gb: float | None = None,
    progress: bool | None = None,
) -> list[Row]:
    """Fit and score one probe for each layer, rank and seed; one row a run.

    A run whose row is already in the folder is not done again, whatever its files are called:
    what counts are the fingerprints of model and treebanks and the settings.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        Sentences with heads.
    dev, test : sequence of Sentence, optional
        Sentences to stop by, and to report on; at least one of the two. The row tells the
        scores on test, if there is one, and those on dev under ``dev_*``.
    folder : path
        The folder of results: a new or empty one, or one that structprobe made.
    layers : str or iterable of int, default="all"
        As `parse_layers` reads them.
    ranks : iterable of int or None
        Ranks of the probes; None is full rank.
    seeds : iterable of int
        Random states.
    recipe : {"whitened", "published"}
        How each probe is trained.
    max_steps : int, optional
        The limit on its steps; the recipe's own unless given.
    products : {"float32", "bfloat16", "auto"}
        The type of the two large products of a step; "auto" is the faster one on this machine.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    baselines : bool, default=True
        Whether to score the chain, both branching trees and random trees (one a seed) too.
    untrained : bool, default=False
        Whether to do the whole grid on an untrained copy of the model too (method
        ``"probe-untrained"``).
    cache : path, optional
        A folder for word vectors that stays. Without it they are kept in the folder of
        results until the sweep is done.
    keep_predictions : bool, default=True
        Whether to keep each run's predictions, with the gold trees, beside its row; not those of
        runs already done. They take some 2 n² bytes for each sentence of n words and each probe.
    save_probes : bool, default=False
        Whether to save each fitted probe too, in the folder of results; not those of runs already
        done. Each takes 8 times rank times hidden size in bytes.
    command : str, optional
        The command line that asked for it, to be written down in the folder.
    device : str, default="auto"
        Where the probes are trained.
    backend : Backend, optional
        Where the runs are done; one after another in this process unless given. The folders
        must be seen from there.
    memory_gb : float, optional
        The room for vectors in training, in units of 10⁹ bytes (4 unless given). In this process,
        as many layers as fit are trained together, and a layer that does not fit by itself is
        streamed from the system's temporary folder.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Returns
    -------
    list of dict
        The result rows of this grid, baselines first, then layer by layer.

    Raises
    ------
    ProbeError
        If a layer, rank, seed or another setting is out of range; or if a layer is to be streamed
        and there is no room for that, where rows already there stay.
    ScoreError
        If there is neither dev nor test, or a treebank is empty or lacks heads.
    ResultError
        If the folder is not ours or cannot be written; rows already there stay.
    StoreError
        If `cache` is no folder for word vectors.
    ClusterError
        If the backend cannot be reached or fails; rows already there stay.
    """
    check_folder(folder)
    check_cache(cache)
    banks = Banks.of(train, dev, test, punct)
    if banks.scored is None:
        raise ScoreError("there is nothing to score on", hint="give a dev or a test treebank")
    backend.check()
    grid: dict[str, Any] = {
        "layers": parse_layers(layers, encoder.n_layers),
        "ranks": check_ranks(ranks, encoder.hidden_size),
        "seeds": check_seeds(seeds),
        "recipe": recipe,
        "max_steps": max_steps,
        "products": check_training(products, memory_gb, device),
    }
    methods = _baselines(grid["seeds"], banks) if baselines else []
    models = {"probe": encoder}
    if untrained:
        models["probe-untrained"] = encoder.untrained(0)
    probes = {name: probe_runs(model, banks, **grid, method=name) for name, model in models.items()}
    every = [run for run, _ in methods] + [run for runs in probes.values() for run in runs]

    how: dict[str, Any] = {"device": device, "memory_gb": memory_gb}
    how["keep_predictions"] = keep_predictions
    how["probes_of"] = Path(folder).absolute() if save_probes else None
    how["verbose"] = progress is not False and backend.is_here
    results = ResultsFolder(folder)
    results.tell_command(command)

    def keep(run: Run, found: Outcome) -> None:
        sentences, predictions = banks.scored, found.predictions
        results.add(found.row, *((sentences, predictions) if keep_predictions else ()))
        _log.info("%s: UUAS %s", run, per_cent(found.row["uuas"]))
        advance(1)

    with vectors_folder(results.folder, cache) as vectors, contextlib.ExitStack() as stack:
        todo = {run.key for run in every} - results.keys
        _log.info("%d of %d runs to do", len(todo), len(every))
        bare = [run for run in every if run.key not in todo and not _is_kept(results, run)]
        if keep_predictions and bare:
            told = "%d runs were done without keeping predictions; a new folder would have them"
            _log.info(told, len(bare))
        advance = stack.enter_context(progress_bar("runs", len(todo), "run", shown=progress))
        for run, method in methods:
            if run.key in todo:
                keep(run, _run_baseline(run, method, banks))
        for name, model in models.items():
            runs = [run for run in probes[name] if run.key in todo]
            if not runs:
                continue
            layers = {run.layer for run in runs}
            encoded = {
                part: model.encode(bank, layers=layers, cache=vectors, progress=progress)
                for part, bank in banks.parts.items()
            }
            # Only these are done elsewhere; rows are written here.
            # Here, runs share what they can; elsewhere, the more parts the better.
            parts = groups_of(runs, encoded, memory_gb) if backend.is_here else zip(runs)
            groups = [Group(part, encoded, banks, **how) for part in parts]
            for run, found in _outcomes(groups, backend):
                keep(run, found)
    results.mend()
    by_key = {row["key"]: row for row in results.rows}
    return [by_key[run.key] for run in every]


def _outcomes(groups: Sequence[Group], backend: Backend) -> Iterator[tuple[Run, Outcome]]:
    """Give what the runs of groups gave: here, as each is scored; elsewhere, group by group."""
    done: Iterator[Iterable[tuple[Run, Outcome]]]
    done = (group.outcomes() for group in groups) if backend.is_here else backend.run(groups)
    return chain.from_iterable(done)


def _is_kept(results: ResultsFolder, run: Run) -> bool:
    """Tell whether the predictions of a run that is done are there."""
    return has_predictions(results.folder, run.key)


def _baselines(seeds: Sequence[int], banks: Banks) -> list[tuple[Run, Recoverer]]:
    """Give the methods that need no model, each with its run."""
    fixed: list[Recoverer] = [LinearChain(), RightBranching(), LeftBranching()]
    seeded = [*((method, None) for method in fixed), *((RandomTree(seed), seed) for seed in seeds)]
    return [
        (baseline_run(method.name, method.uses_gold, seed, banks), method)
        for method, seed in seeded
    ]


def _run_baseline(run: Run, method: Recoverer, banks: Banks) -> Outcome:
    """Score a method without a model."""
    with timed() as times:
        method.fit(banks.train, banks.dev)
        predictions = {
            part: method.predict(bank) for part, bank in banks.parts.items() if part != "train"
        }
    return outcome({**run.values, **times}, banks, predictions)
