"""Fit one probe on one layer, and save it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.experiments.folder.rows import Row, bank_name
from structprobe.experiments.runs.grid import (
    Run,
    check_ranks,
    check_seeds,
    check_training,
    parse_layers,
    probe_runs,
)
from structprobe.experiments.runs.run import Banks, Outcome, outcome, timed
from structprobe.recoverers.linear import LinearChain
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
    recipe: str = "whitened",
    max_steps: int | None = None,
    products: str = "float32",
    punct: str | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    cache: str | os.PathLike[str] | None = None,
    device: str = "auto",
    memory_gb: float | None = None,
    command: str | None = None,
    progress: bool | None = None,
) -> tuple[ProbeRecoverer, Row]:
    """Fit a distance and a depth probe on one layer, score them on dev, and save them.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train : sequence of Sentence
        Sentences with heads.
    dev : sequence of Sentence, optional
        Sentences to stop by and to score on; without them a tenth of `train` is held out to
        stop by, and nothing is scored.
    layer : int
        The layer to read, 0 = embedding output.
    rank : int, optional
        Rank of the probe; full unless given.
    seed : int or None, default=0
        Random state of the probe.
    recipe : {"whitened", "published"}
        How the probe is trained.
    max_steps : int, optional
        The limit on its steps; the recipe's own unless given.
    products : {"float32", "bfloat16", "auto"}
        The type of the two large products of a step; "auto" is the faster one on this machine.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    out : path, optional
        Where to save the probe; refused before any work if it is not ours.
    force : bool, default=False
        Whether a probe that is there already is replaced.
    cache : path, optional
        A folder for word vectors.
    device : str, default="auto"
        Where the probe is trained.
    memory_gb : float, optional
        The room for vectors in training, in units of 10⁹ bytes (4 unless given); those that do
        not fit are streamed from the system's temporary folder.
    command : str, optional
        The command line that asked for it, to be written down in the probe's config.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Returns
    -------
    recoverer : ProbeRecoverer
        Fitted.
    row : dict
        The result row, on dev.

    Raises
    ------
    ProbeError
        If layer, rank, seed or another setting is out of range, or `out` exists and is no saved
        probe, or one and not `force`.
    ScoreError
        If a treebank is empty or lacks heads.
    """
    from structprobe.probe.saving.pretrained import check_target
    from structprobe.recoverers.probe import ProbeRecoverer

    if out is not None:
        check_target(out, replace=force)
    banks = Banks.of(train, dev, punct=punct)
    (run,) = probe_runs(
        encoder,
        banks,
        layers=parse_layers([layer], encoder.n_layers),
        ranks=check_ranks([rank], encoder.hidden_size),
        seeds=check_seeds([seed]),
        recipe=recipe,
        max_steps=max_steps,
        products=check_training(products, memory_gb, device),
    )
    verbose = progress is not False
    probe = make_probe(run, device=device, memory_gb=memory_gb, verbose=verbose)
    recoverer = ProbeRecoverer(encoder, layer, probe, cache=cache, progress=progress)
    vectors = {part: recoverer.encode(bank) for part, bank in banks.parts.items()}
    found = run_probe(probe, run, vectors, banks)
    if out is not None:
        fitted_on = {part: bank_name(bank) for part, bank in banks.parts.items()}
        if command is not None:
            fitted_on["command"] = command
        recoverer.save_pretrained(
            out,
            dev_scores=found.scores.get("dev"),
            fitted_on=fitted_on,
            dev_baselines=dev_baselines(banks),
        )
        _log.info("saved the probe in %s", out)
    return recoverer, found.row


def dev_baselines(banks: Banks) -> dict[str, Scores]:
    """Score on dev what a saved probe's card shows beside it: the linear chain."""
    if banks.dev is None:
        return {}
    chain = LinearChain()
    return {chain.name: score(banks.dev, chain.predict(banks.dev), punct=banks.punct)}


def make_probe(
    run: Run, *, device: str = "auto", memory_gb: float | None = None, verbose: bool = False
) -> StructuralProbe:
    """Make the probe of a run, not yet fitted."""
    from structprobe.probe.estimator import StructuralProbe

    names = "rank", "recipe", "max_steps", "products"
    settings = {name: run.values[name] for name in names}
    if memory_gb is not None:
        settings["memory_gb"] = memory_gb
    return StructuralProbe(
        **settings, random_state=run.values["seed"], device=device, verbose=verbose
    )


def run_probe(
    probe: StructuralProbe, run: Run, vectors: Mapping[str, WordVectors], banks: Banks
) -> Outcome:
    """Fit a probe, predict and score."""
    with timed() as times:
        dev = None if banks.dev is None else (vectors["dev"], banks.dev)
        probe.fit(vectors["train"], banks.train, dev=dev)
    return report(probe, run, vectors, banks, times)


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
    history: dict[str, Any] = probe.history_
    values = {
        "dev_loss": history["distance"]["best_dev_loss"],
        "dev_depth_loss": history["depth"]["best_dev_loss"],
        "steps": history["distance"]["steps"],
    }
    values |= {name: seconds + times[name] for name, seconds in fit_times.items()}
    return outcome({**run.values, **values}, banks, predictions)
