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
from structprobe.experiments.config import SweepConfig
from structprobe.experiments.runs.backends import Backend
from structprobe.experiments.runs.grid import Grid, baseline_run, known_products, probe_runs
from structprobe.experiments.runs.groups import Group, groups_of
from structprobe.experiments.runs.run import Banks, Outcome, Run, outcome, timed
from structprobe.experiments.vectors_folder import check_cache, vectors_folder
from structprobe.progress import progress_bar
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.random_tree import RandomTree
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.frames import Rows
from structprobe.results.rows import Row, per_cent
from structprobe.results.saved_runs import has_predictions
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)

Parts = tuple[Treebank, Treebank | None, Treebank | None]  # train, dev, test


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
    punct: str | None = None,
    config: SweepConfig | None = None,
) -> Rows:
    """Fit and score one probe for each layer, rank and seed; one row per run.

    A run whose row is already in the folder is not done again, whatever its files are called:
    what counts are the fingerprints of model and treebanks and the settings.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        Sentences with heads.
    dev, test : sequence of Sentence, optional
        Sentences to stop by, and to report on; at least one of the two. The row has the
        scores on the test set, if there is one, and those on dev under ``dev_*``.
    folder : path
        The folder of results: a new or empty one, or one that structprobe made.
    layers : str or iterable of int, default="all"
        ``"all"``, numbers, or ranges such as ``"0,8,16-24"``.
    ranks : iterable of int or None
        Ranks of the probes; None is full rank.
    seeds : iterable of int
        Random states.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    config : SweepConfig, optional
        All else: how probes are trained, which baselines are scored, what is kept, where the
        runs are done.

    Returns
    -------
    Rows
        A list of dicts, which shows itself as a table: the rows of this grid, baselines first, then
        layer by layer.

    Raises
    ------
    ProbeError
        If a layer, rank or seed is out of range; or if a layer is to be streamed and there is no
        room for that, where rows already there stay.
    ScoreError
        If there is neither dev nor test, or a treebank is empty or lacks heads.
    ResultError
        If the folder is no structprobe results folder or cannot be written; rows already there
        stay.
    StoreError
        If ``config.cache`` is no folder for word vectors.
    ClusterError
        If the backend cannot be reached or fails; rows already there stay.
    """
    config = config or SweepConfig()
    check_folder(folder)
    check_cache(config.cache)
    banks = Banks.of(train, dev, test, punct)
    if banks.scored is None:
        raise ScoreError("there is nothing to score on", hint="give a dev or a test treebank")
    config.backend.check()
    here = config.backend.is_here
    grid = Grid.of(encoder, layers, ranks, seeds)
    training = known_products(config.training, here=here)
    methods = baseline_methods(grid.seeds, banks) if config.baselines else []
    models = {"probe": encoder}
    if config.untrained:
        models["probe-untrained"] = encoder.untrained(0)
    probes = {
        name: probe_runs(model, banks, grid, training, name) for name, model in models.items()
    }
    every = [run for run, _ in methods] + [run for runs in probes.values() for run in runs]
    how: dict[str, Any] = {
        "training": training,
        "verbose": config.progress is not False and here,
        "keep_predictions": config.keep_predictions,
        "probes_of": Path(folder).absolute() if config.save_probes else None,
    }
    results = ResultsFolder(folder)
    results.tell_command(config.command)

    def keep(run: Run, found: Outcome) -> None:
        kept = (banks.scored, found.predictions) if config.keep_predictions else ()
        results.add(found.row, *kept)
        _log.info("%s: UUAS %s", run, per_cent(found.row["uuas"]))
        advance(1)

    with vectors_folder(results.folder, config.cache) as vectors, contextlib.ExitStack() as stack:
        todo = {run.key for run in every} - results.keys
        _log.info("%d of %d runs to do", len(todo), len(every))
        bare = [run for run in every if run.key not in todo and not _is_kept(results, run)]
        if config.keep_predictions and bare:
            told = "%d runs were done without keeping predictions; a new folder would have them"
            _log.info(told, len(bare))
        bar = progress_bar("runs", len(todo), "run", shown=config.progress)
        advance = stack.enter_context(bar)
        for run, method in methods:
            if run.key in todo:
                keep(run, _run_baseline(run, method, banks))
        for name, model in models.items():
            runs = [run for run in probes[name] if run.key in todo]
            if not runs:
                continue
            wanted = {run.layer for run in runs}
            encoded = {
                part: model.encode(bank, layers=wanted, cache=vectors, progress=config.progress)
                for part, bank in banks.parts.items()
            }
            # Only these are done elsewhere; rows are written here.
            # Here, runs share what they can; elsewhere, the more parts the better.
            parts = groups_of(runs, encoded, training.memory_gb) if here else zip(runs)
            groups = [Group(part, encoded, banks, **how) for part in parts]
            for run, found in _outcomes(groups, config.backend):
                keep(run, found)
    results.mend()
    by_key = {row["key"]: row for row in results.rows}
    return Rows(by_key[run.key] for run in every)


def sweep_many(encoders: Iterable[Encoder], treebanks: Sequence[Parts], **options: Any) -> Rows:
    """Sweep every model over every treebank, into one folder."""
    found: dict[str, Row] = {}
    for encoder in encoders:
        for parts in treebanks:
            found |= {row["key"]: row for row in sweep(encoder, *parts, **options)}
    ResultsFolder(options["folder"]).tell_room()
    return Rows(found.values())


def _outcomes(groups: Sequence[Group], backend: Backend) -> Iterator[tuple[Run, Outcome]]:
    """Give what the runs of groups gave: here, as each is scored; elsewhere, group by group."""
    done: Iterator[Iterable[tuple[Run, Outcome]]]
    done = (group.outcomes() for group in groups) if backend.is_here else backend.run(groups)
    return chain.from_iterable(done)


def _is_kept(results: ResultsFolder, run: Run) -> bool:
    """Tell whether the predictions of a run that is done are there."""
    return has_predictions(results.folder, run.key)


def baseline_methods(seeds: Sequence[Any], banks: Banks) -> list[tuple[Run, Recoverer]]:
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
