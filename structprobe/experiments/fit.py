"""Fitting one probe on one layer, and saving it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from structprobe.errors import counted
from structprobe.experiments.config import FitConfig, Training, checked_config
from structprobe.experiments.runs.grid import Grid, known_products, probe_runs
from structprobe.experiments.runs.run import (
    Banks,
    Outcome,
    Run,
    outcome,
    timed,
    warn_after,
    warn_before,
)
from structprobe.experiments.vectors_folder import check_cache
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.probe import chosen_by, training_cautions
from structprobe.results.rows import Row, bank_name
from structprobe.scores.cautions import too_much_memory
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.recoverers.probe import ProbeRecoverer

_log = logging.getLogger(__name__)

HELD_OUT = "held-out"  # the part of a row scored on training sentences that the fit held out


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
        Sentences for stopping and scoring. By default a random tenth of `train` is held out for
        both: ``probe.history_["held_out"]`` lists these sentences, counted from 0, and the row has
        the part ``"held-out"``.
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
        The fitted probe with its encoder, and the result row on dev or on the held-out sentences.

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

    config = checked_config(config, FitConfig)
    if out is not None:
        check_target(out, replace=config.force)
    check_cache(config.cache)
    banks = Banks.of(train, dev, punct=punct, allow_withheld=config.allow_withheld)
    grid = Grid.of_one(encoder, layer, rank, seed)
    layer = grid.layers[0]
    training = known_products(config.training, here=True)
    (run,) = probe_runs(encoder, banks, grid, training)
    warned = warn_before(banks, training.memory_gb)
    verbose = config.progress is not False
    probe = make_probe(run.values["rank"], seed, training, verbose=verbose)
    recoverer = ProbeRecoverer(encoder, layer, probe, cache=config.cache, progress=config.progress)
    vectors = {part: recoverer.encode(bank) for part, bank in banks.parts.items()}
    with timed() as times:
        dev_set = None if banks.dev is None else (vectors["dev"], banks.dev)
        probe.fit(vectors["train"], banks.train, dev=dev_set)
    split, shown = banks, vectors
    if banks.dev is None:
        split, shown = _hold_out(probe, banks, vectors["train"])
    found = report(probe, run, shown, split, times)
    if banks.dev is None:
        named = {"part": HELD_OUT, "treebank": bank_name(banks.train)}
        none = dict.fromkeys(("dev", "dev_fingerprint"))
        found.row.update(banks.values() | named | none)
    warn_after([found.row], warned)
    if out is not None:
        card = card_of(found, banks, dev_baselines(split))
        if config.command is not None:
            card["fitted_on"]["command"] = config.command
        recoverer.save_pretrained(out, **card)
        _log.info("saved the probe in %s", out)
    return recoverer, found.row


def _hold_out(
    probe: StructuralProbe, banks: Banks, vectors: WordVectors
) -> tuple[Banks, dict[str, Any]]:
    """Make a dev set of the training sentences that the fit held out."""
    held_out = probe.history_["held_out"]
    not_rest = {*held_out}
    rest = Treebank(one for i, one in enumerate(banks.train) if i not in not_rest)
    numbers = ", ".join(str(i + 1) for i in held_out[:5])
    more = f" and {len(held_out) - 5:,} more" if len(held_out) > 5 else ""
    told = "no dev set was given; held out %s of %s of the training set, for stopping and for the "
    told += "scores: numbers %s%s (all are in history_['held_out'], counted from 0)"
    _log.info(told, *(f"{len(held_out):,}", counted(len(banks.train), "sentence")), numbers, more)
    split = replace(banks, train=rest, dev=Treebank(banks.train[i] for i in held_out))
    return split, {"train": vectors, "dev": [vectors[i] for i in held_out]}


def dev_baselines(banks: Banks) -> dict[str, Scores]:
    """Score the linear chain on dev, for the card of a saved probe."""
    if banks.dev is None:
        return {}
    chain = LinearChain()
    return {chain.name: score(banks.dev, chain.predict(banks.dev), punct=banks.punct)}


def card_of(found: Outcome, banks: Banks, baselines: Mapping[str, Scores]) -> dict[str, Any]:
    """Return what a saved probe says about its training and scores."""
    fitted_on = {part: bank_name(bank) for part, bank in banks.parts.items()}
    if banks.taken is not None:
        fitted_on["train"] = f"{counted(len(banks.taken), 'sentence')} of the training set"
    if banks.dev is None:
        fitted_on["dev"] = "held-out sentences of train"
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
    vectors: Mapping[str, Any],
    banks: Banks,
    fit_times: Row,
) -> Outcome:
    """Predict with a fitted probe, and score."""
    with timed() as times:
        predictions = {
            part: probe.predictions(found) for part, found in vectors.items() if part != "train"
        }
    values = fit_values(probe)
    values |= {name: seconds + times[name] for name, seconds in fit_times.items()}
    return outcome({**run.values, **values}, banks, predictions)


def fit_values(probe: StructuralProbe) -> Row:
    """Return the values of a row for how a probe was trained."""
    distance, depth = probe.history_["distance"], probe.history_["depth"]
    losses = {"dev_loss": distance["best_dev_loss"], "dev_depth_loss": depth["best_dev_loss"]}
    doubts = [*training_cautions(probe), too_much_memory(probe.memory_gb)]
    values = {**losses, "steps": distance["steps"], "warnings": [*filter(None, doubts)]}
    return {**values, "choice": None, **chosen_by(probe)}
