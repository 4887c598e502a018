"""Sweeping a grid of layers, ranks and seeds into a results folder, and resuming."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structprobe.errors import ScoreError, counted
from structprobe.experiments.config import SweepConfig, checked_config
from structprobe.experiments.runs.controlled import Comparisons
from structprobe.experiments.runs.grid import Grid, all_fits, known_products
from structprobe.experiments.runs.groups import STIMULI, Group, groups_of
from structprobe.experiments.runs.run import (
    Banks,
    Outcome,
    Run,
    outcome,
    timed,
    warn_after,
    warn_before,
)
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
from structprobe.stimuli import make_stimuli
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

    Runs that are already in the folder are skipped. They are identified by their settings and the
    fingerprints of model and treebanks, not by file names.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        Sentences with heads.
    dev, test : sequence of Sentence, optional
        Sentences for stopping, and for the scores; at least one of the two. Rows have the scores on
        the test set, if there is one, and those on dev as ``dev_*``.
    folder : path
        The results folder: new, empty, or from structprobe. Each row is written when it is done,
        and kept after an error.
    layers : str or iterable of int, default="all"
        ``"all"``, numbers, or ranges such as ``"0,8,16-24"``.
    ranks : iterable of int or None
        Ranks of the probes; None for full rank.
    seeds : iterable of int
        Random states.
    punct : {"upos", "xpos", "keep", "polar"}, optional
        Which words UUAS and root accuracy ignore, see `Protocol`.
    config : SweepConfig, optional
        Further options: training, baselines, what is saved, where the runs are executed.

    Returns
    -------
    Rows
        A list of dicts, shown as a table: the rows of this grid, baselines first, then by layer.

    Raises
    ------
    ProbeError
        If a layer, rank or seed is out of range; or if there is no disk space to stream a layer.
    ScoreError
        If there is neither dev nor test, or a treebank is empty or has no heads.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    ResultError
        If the folder is not a results folder or cannot be written.
    StoreError
        If ``config.cache`` is not a cache folder.
    ClusterError
        If the backend cannot be reached or fails.
    """
    from structprobe.probe.data.whitening import SharedMoments

    config = checked_config(config, SweepConfig)
    check_folder(folder)
    check_cache(config.cache)
    banks = Banks.of(train, dev, test, punct, allow_withheld=config.allow_withheld)
    if banks.scored is None:
        raise ScoreError("there is nothing to score on", hint="give a dev or a test set")
    config.backend.check()
    here = config.backend.is_here
    grid = Grid.of(encoder, layers, ranks, seeds)
    training = known_products(config.training, here=here)
    methods = baseline_methods(grid.seeds, banks) if config.baselines else []
    fits = all_fits(encoder, banks, grid, training, config)
    every = [*(run for run, _ in methods), *(run for one in fits for run in one.runs)]
    stimuli = make_stimuli("distance", n=config.stimuli) if config.stimuli else ()
    how: dict[str, Any] = {
        "training": training,
        "stimuli": stimuli,
        "verbose": config.progress is not False and here,
        "keep_predictions": config.keep_predictions,
        "probes_of": Path(folder).absolute() if config.save_probes else None,
    }
    to_encode: dict[str, Sequence[Sentence]] = dict(banks.parts)
    if stimuli:
        to_encode[STIMULI] = [one.sentence for one in stimuli]
    results = ResultsFolder(folder)
    results.tell_command(config.command)
    comparisons = Comparisons(fits, banks, results)
    empty: dict[str, Row] = {}
    warned = warn_before(banks, training.memory_gb)

    def keep(run: Run, found: Outcome) -> None:
        comparisons.add(run, found)
        predictions = (config.keep_predictions and found.predictions) or None
        scored = banks.scored if predictions else None
        results.add(found.row, scored, predictions, found.conditions)
        if why := found.row["why_empty"]:
            empty[run.key] = found.row
            _log.warning("%s has no scores: %s", run, why)
        else:
            _log.info("%s: UUAS %s", run, per_cent(found.row["uuas"]))
        advance(1)

    with vectors_folder(results.folder, config.cache) as vectors, contextlib.ExitStack() as stack:
        todo = {run.key for run in every} - results.keys
        _log.info("%d of %s to do", len(todo), counted(len(every), "run"))
        done = [run for run in every if run.key not in todo]
        controls = {run.key for one in fits if one.banks.control for run in one.runs}
        bare = [
            run
            for run in done
            if run.key not in controls and not has_predictions(results.folder, run.key)
        ]
        if config.keep_predictions and bare:
            told = f"{counted(len(bare), 'finished run')} without saved predictions"
            _log.info("%s; to save them, use a new folder", told)
        bar = progress_bar("runs", len(todo), "run", shown=config.progress)
        advance = stack.enter_context(bar)
        for run, method in methods:
            if run.key in todo:
                with timed() as times:
                    method.fit(banks.train, banks.dev)
                    scored = {part: bank for part, bank in banks.parts.items() if part != "train"}
                    predictions = {part: method.predict(bank) for part, bank in scored.items()}
                keep(run, outcome({**run.values, **times}, banks, predictions))
        for _, of_model in groupby(fits, lambda one: one.model):
            own = [one for one in of_model if any(run.key in todo for run in one.runs)]
            if not own:
                continue
            wanted = {run.layer for one in own for run in one.runs if run.key in todo}
            model = own[0].model()
            encoded = {
                part: model.encode(bank, layers=wanted, cache=vectors, progress=config.progress)
                for part, bank in to_encode.items()
            }
            # Workers only run these; rows are written in this process, in which runs also share
            # what they can. For workers, the more parts the better.
            groups: list[Group] = []
            trees = [one.banks.real or one.banks for one in own]
            room = SharedMoments.most_bytes // len({*map(id, trees)})  # of all samples together
            moments = {id(of): SharedMoments(room) for of in trees if here and config.controls}
            for one, of in zip(own, trees, strict=True):
                runs = [run for run in one.runs if run.key in todo]
                parts = groups_of(runs, encoded, training.memory_gb) if here else zip(runs)
                how["moments"] = moments.get(id(of))
                groups += [Group(part, encoded, one.banks, **how) for part in parts]
            by_group = map(Group.outcomes, groups) if here else config.backend.run(groups)
            for run, found in comparisons.in_order(chain.from_iterable(by_group), todo):
                keep(run, found)
    results.mend()
    by_key = empty | {row["key"]: row for row in results.rows}
    rows = Rows(by_key[run.key] for run in every)
    warn_after(rows, warned)
    return rows


def sweep_many(encoders: Iterable[Encoder], treebanks: Sequence[Parts], **options: Any) -> Rows:
    """Sweep every model over every treebank, into one folder."""
    found: dict[str, Row] = {}
    for encoder in encoders:
        for parts in treebanks:
            found |= {row["key"]: row for row in sweep(encoder, *parts, **options)}
    ResultsFolder(options["folder"]).tell_room()
    return Rows(found.values())


def baseline_methods(seeds: Sequence[Any], banks: Banks) -> list[tuple[Run, Recoverer]]:
    """Return the methods that need no model, each with its run."""
    fixed: list[Recoverer] = [LinearChain(), RightBranching(), LeftBranching()]
    seeded = [*((method, None) for method in fixed), *((RandomTree(seed), seed) for seed in seeds)]
    return [
        (Run.of({"method": one.name, "uses_gold": one.uses_gold, "seed": seed}, banks), one)
        for one, seed in seeded
    ]
