"""Fitting one probe on one layer, and saving it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from structprobe.experiments.config import FitConfig, Training
from structprobe.experiments.runs.grid import Grid, known_products, probe_runs
from structprobe.experiments.runs.run import Banks, Outcome, Run, outcome, timed
from structprobe.recoverers.linear import LinearChain
from structprobe.results.rows import Row, bank_name
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.recoverers.probe import ProbeRecoverer

_log = logging.getLogger(__name__)


def fit_probe(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    *,
    layer: int,
    rank: int | None = None,
    seed: int | None = 0,
    punct: str | None = None,
    out: str | os.PathLike[str] | None = None,
    config: FitConfig | None = None,
) -> tuple[ProbeRecoverer, Row]:
    """Fit a distance and a depth probe on one layer, score them on dev, and save them.

    Parameters
    ----------
    encoder, train
        As for `sweep`.
    dev : sequence of Sentence, optional
        Sentences for stopping and scoring. By default a tenth of `train` is held out for stopping,
        and nothing is scored.
    layer : int
        The layer, 0 = embedding output.
    rank : int, optional
        Rank of the probe; by default full rank.
    seed : int or None, default=0
        Random state of the probe.
    punct
        As for `sweep`.
    out : path, optional
        Where to save the probe.
    config : FitConfig, optional
        Further options: training, cache, whether to replace a saved probe.

    Returns
    -------
    tuple of (ProbeRecoverer, dict)
        The fitted probe with its encoder, and the result row on dev.

    Raises
    ------
    ProbeError
        If layer, rank or seed is out of range; if `out` exists and is not a saved probe, or is one
        and ``config.force`` is not set.
    ScoreError
        If a treebank is empty or has no heads.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    from structprobe.probe.saving.save_load import check_target
    from structprobe.recoverers.probe import ProbeRecoverer

    config = config or FitConfig()
    if out is not None:
        check_target(out, replace=config.force)
    banks = Banks.of(train, dev, punct=punct, allow_withheld=config.allow_withheld)
    grid = Grid.of(encoder, [layer], [rank], [seed])
    training = known_products(config.training, here=True)
    (run,) = probe_runs(encoder, banks, grid, training)
    verbose = config.progress is not False
    probe = make_probe(run.values["rank"], seed, training, verbose=verbose)
    recoverer = ProbeRecoverer(encoder, layer, probe, cache=config.cache, progress=config.progress)
    vectors = {part: recoverer.encode(bank) for part, bank in banks.parts.items()}
    with timed() as times:
        held_out = None if banks.dev is None else (vectors["dev"], banks.dev)
        probe.fit(vectors["train"], banks.train, dev=held_out)
    found = report(probe, run, vectors, banks, times)
    if out is not None:
        card = card_of(found, banks, dev_baselines(banks))
        if config.command is not None:
            card["fitted_on"]["command"] = config.command
        recoverer.save_pretrained(out, **card)
        _log.info("saved the probe in %s", out)
    return recoverer, found.row


def dev_baselines(banks: Banks) -> dict[str, Scores]:
    """Score the linear chain on dev, for the card of a saved probe."""
    if banks.dev is None:
        return {}
    chain = LinearChain()
    return {chain.name: score(banks.dev, chain.predict(banks.dev), punct=banks.punct)}


def card_of(found: Outcome, banks: Banks, baselines: Mapping[str, Scores]) -> dict[str, Any]:
    """Return what a saved probe says about its training and scores."""
    fitted_on = {part: bank_name(bank) for part, bank in banks.parts.items()}
    scores = found.scores.get("dev")
    return {"dev_scores": scores, "fitted_on": fitted_on, "dev_baselines": baselines}


def make_probe(
    rank: int, seed: int | None, training: Training, *, verbose: bool = False
) -> StructuralProbe:
    """Create an unfitted probe."""
    from structprobe.probe.estimator import StructuralProbe

    told = {name: value for name, value in asdict(training).items() if value is not None}
    return StructuralProbe(rank=rank, random_state=seed, verbose=verbose, **told)


def report(
    probe: StructuralProbe,
    run: Run,
    vectors: Mapping[str, WordVectors],
    banks: Banks,
    fit_times: Row,
) -> Outcome:
    """Predict with a fitted probe, and score."""
    with timed() as times:
        predictions = {
            part: probe.predictions(found) for part, found in vectors.items() if part != "train"
        }
    distance, depth = probe.history_["distance"], probe.history_["depth"]
    losses = {"dev_loss": distance["best_dev_loss"], "dev_depth_loss": depth["best_dev_loss"]}
    values = {**losses, "steps": distance["steps"]}
    values |= {name: seconds + times[name] for name, seconds in fit_times.items()}
    return outcome({**run.values, **values}, banks, predictions)
