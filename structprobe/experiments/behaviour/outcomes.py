"""One table of many models: probe, controls, behaviour and interventions, into one folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from structprobe.errors import (
    EncoderError,
    ProbeError,
    ScoreError,
    StructprobeError,
    check_encoder,
)
from structprobe.experiments.behaviour.behave import behaviour_rows, suite_groups
from structprobe.experiments.behaviour.saved_interventions import intervention_rows
from structprobe.experiments.behaviour.sentence_tests import sentence_test_rows
from structprobe.experiments.config import (
    InterveneConfig,
    SweepConfig,
    Training,
    check_whole,
    checked_config,
)
from structprobe.experiments.layers_ranks_seeds import parse_layers
from structprobe.experiments.runs.planning import plan_sweep
from structprobe.experiments.sweep import Parts, sweep
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.outcomes import PROBE, best_probe, read_outcomes
from structprobe.results.rows import (
    BEHAVIOUR,
    INTERVENTION,
    TESTS,
    empty_key,
    make_row,
    run_key,
)
from structprobe.results.saved_runs import probe_path
from structprobe.stimuli.suites.reading import SuiteGroup

if TYPE_CHECKING:
    from structprobe.behaviour.language_model import LanguageModel
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.estimator import StructuralProbe

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutcomesConfig:
    """Options of `outcomes`.

    Parameters
    ----------
    training : Training, optional
        How the probes are trained.
    pairs : int, optional
        Score the first pairs of each paradigm alone; by default all.
    intervention_pairs : int, default=40
        The number of pairs of each paradigm that are scored under interventions; 0 for no
        interventions.
    intervention : InterveneConfig, optional
        What is removed, beside which controls.
    untrained : bool, default=False
        Whether to also probe an untrained copy of each model.
    cache, command, progress, allow_withheld
        As for `SweepConfig`.

    Raises
    ------
    ProbeError
        If a number of pairs is out of range.
    """

    training: Training = field(default_factory=Training)
    pairs: int | None = None
    intervention_pairs: int = 40
    intervention: InterveneConfig = field(default_factory=InterveneConfig)
    untrained: bool = False
    cache: str | os.PathLike[str] | None = None
    command: str | None = None
    progress: bool | None = None
    allow_withheld: bool = False

    def __post_init__(self) -> None:
        check_whole("pairs", self.pairs)
        if self.intervention_pairs != 0:
            check_whole("intervention_pairs", self.intervention_pairs)


def outcomes(
    encoders: Iterable[Encoder],
    treebank: Parts,
    suites: Any = "own",
    *,
    folder: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    rank: int | None = 64,
    seed: int = 0,
    punct: str | None = None,
    config: OutcomesConfig | None = None,
) -> list[dict[str, Any]]:
    """Probe models, ask what they prefer, and remove what the probe reads: one table for all.

    For each model: probes on all layers with control tasks, of which the best on dev is used below;
    behaviour on the suites; whether the model prefers what that probe parses well, in pairs that
    have trees (`read_sentence_tests`); and what changes without the subspace of the probe
    (`read_interventions`). What a model does not allow, such as behaviour without a language-model
    head, has an empty row that says why; the others go on. What is already in the folder is
    skipped.

    Parameters
    ----------
    encoders : iterable of Encoder
        The models, or revisions of one; each is used before the next is taken.
    treebank : tuple of train, dev and test
        Treebanks with trees; test may be None. The best layer is chosen on dev, which may be None
        for a single layer.
    suites : str, path, SuiteGroup or iterable of these
        As for `read_behaviour`.
    folder : path
        The results folder, which `structprobe report` shows.
    layers : str or iterable of int, default="all"
        As for `sweep`.
    rank : int, default=64
        The rank of the probes, less than the width of the vectors.
    seed, punct
        As for `sweep`.
    config : OutcomesConfig, optional
        Further options.

    Returns
    -------
    list of dict
        One for each model, as from `structprobe.results.outcomes.read_outcomes`.

    Raises
    ------
    ScoreError
        If there is no dev set, and more than one layer.
    StructprobeError
        If a suite cannot be read at all, or no model can be probed, as for `sweep`.
    """
    config = checked_config(config, OutcomesConfig)
    check_folder(folder)
    groups = suite_groups(suites, config.pairs, seed)
    results = ResultsFolder(folder)
    results.tell_command(config.command)
    layers = layers if isinstance(layers, str) else list(layers)
    fault, any_done = None, False
    for encoder in encoders:
        check_encoder(encoder, StructprobeError)
        asked = _Asked(encoder, treebank, groups, results, rank, seed, punct, config)
        try:
            _check_dev(encoder, treebank, layers)
            asked.run(layers)
            any_done = True
        except (EncoderError, ProbeError, ScoreError) as error:
            fault = fault or error
            asked.leave_empty(PROBE, str(error))
    if fault is not None and not any_done:
        raise fault
    return read_outcomes(folder)


def _check_dev(encoder: Encoder, treebank: Parts, layers: str | list[int]) -> None:
    """Refuse to choose a layer without a dev set: on the test set it must not be."""
    _, dev, test = treebank
    if dev is None and test is not None:
        n_layers = len(parse_layers(layers, encoder.n_layers, encoder.layers))
        if n_layers > 1:
            what = f"no dev set, by which the probe of one of {n_layers} layers is chosen"
            raise ScoreError(what, hint="give a dev set, or a single layer")


def _lengths(suites: Sequence[SuiteGroup]) -> list[int]:
    """Count the words of all sentences of some suites."""
    texts: list[Any] = [text for one in suites for pair in one.pairs
                        for text in (pair.good, pair.bad)]  # fmt: skip
    texts += [
        item.text(name)
        for one in suites
        for suite in one.suites
        for item in suite.items
        for name in suite.conditions
    ]
    return [len(one.split() if isinstance(one, str) else one) for one in texts]


def _n_interventions(config: InterveneConfig) -> int:
    """Count what is removed, with its controls."""
    n_each = 1 + config.n_random + 3  # both ends of the principal axes, and an untrained probe
    return len(config.remove) * n_each + len(config.controls) * ("probe" in config.remove)


@dataclass(frozen=True, eq=False)
class _Asked:
    """One model, and what is asked of it."""

    encoder: Encoder
    treebank: Parts
    suites: Sequence[SuiteGroup]
    results: ResultsFolder | None  # None to plan alone
    rank: int | None
    seed: int
    punct: str | None
    config: OutcomesConfig

    def run(self, layers: str | Iterable[int]) -> None:
        """Do what is not in the folder yet."""
        config = self.config
        model, why = self._language_model()
        encoder = self.encoder if model is None else model.encoder
        assert self.results is not None
        rows = sweep(encoder, *self.treebank, folder=self.results.folder, **self._grid(layers))
        own = [row for row in rows if row["model"] == encoder.origin(0)["model"]]
        best, _ = best_probe(own)
        if model is None:
            self.leave_empty(BEHAVIOUR, str(why))
            return
        told: dict[str, Any] = {"folder": self.results.folder, "progress": config.progress}
        behaviour_rows(model, self.suites, **told)
        if best is None:
            return
        recoverer = self._recoverer(encoder, best)
        try:
            sentence_test_rows(model, recoverer, self.suites, punct=self.punct, **told)
        except StructprobeError as error:
            self.leave_empty(TESTS, str(error))
        if config.intervention_pairs:
            self._intervene(model, best["layer"], recoverer.probe)

    def _intervene(self, model: LanguageModel, layer: int, probe: StructuralProbe) -> None:
        """Remove what the probe reads; what was chosen for its training holds for its controls."""
        config, own, training = self.config, self.config.intervention, self.config.training
        chosen = replace(
            own, recipe=own.recipe if training.recipe == "auto" else training.recipe,
            max_steps=training.max_steps if own.max_steps is None else own.max_steps,
            device=training.device, punct=self.punct, seed=self.seed, cache=config.cache,
            progress=config.progress, allow_withheld=config.allow_withheld,
        )  # fmt: skip
        pairs = [one.first(config.intervention_pairs) for one in self.suites]
        assert self.results is not None
        try:
            intervention_rows(
                model, self.treebank, pairs, layer=layer, probe=probe,
                folder=self.results.folder, config=chosen,
            )  # fmt: skip
        except StructprobeError as error:
            self.leave_empty(INTERVENTION, str(error))

    def plan(self, layers: str | Iterable[int], folder: str | os.PathLike[str]) -> dict[str, Any]:
        """Estimate what `run` costs."""
        model, why = self._language_model()
        encoder = self.encoder if model is None else model.encoder
        told = plan_sweep(encoder, *self.treebank, folder=folder, **self._grid(layers))
        _, dev, test = self.treebank
        config, running = self.config, [*(test or dev or ())]
        few = _lengths([one.first(config.intervention_pairs or 1) for one in self.suites])
        running = running[: config.intervention.sentences] if config.intervention_pairs else []
        few = few if config.intervention_pairs else []
        # Running text is read for its surprisal, and once more for its trees.
        lengths = [*few, *map(len, running), *map(len, running)]
        n_readings, texts = 1 + _n_interventions(config.intervention), _lengths(self.suites)
        a_word = told["encode_seconds"] / max(1, told["n_words"] * (1 + config.untrained))
        return told | {
            "behaviour_sentences": len(texts),
            "behaviour_seconds": a_word * sum(texts),
            "intervention_sentences": n_readings * len(lengths),
            "intervention_seconds": a_word * n_readings * sum(lengths),
            "why_no_behaviour": why,
        }

    def _grid(self, layers: str | Iterable[int]) -> dict[str, Any]:
        """Give the arguments of the sweep."""
        config = self.config
        sweeping = SweepConfig(
            config.training, controls=("form", "position"), save_probes=True,
            untrained=config.untrained, cache=config.cache, progress=config.progress,
            allow_withheld=config.allow_withheld,
        )  # fmt: skip
        told = {"layers": layers, "ranks": [self.rank], "seeds": [self.seed]}
        return {**told, "punct": self.punct, "config": sweeping}

    def _language_model(self) -> tuple[LanguageModel | None, str | None]:
        """Give the model with its head, or say why it has none."""
        from structprobe.behaviour.language_model import LanguageModel

        try:
            return LanguageModel(self.encoder), None
        except StructprobeError as error:
            return None, str(error)

    def leave_empty(self, method: str, why: str) -> None:
        """Add an empty row for what the model does not allow."""
        _log.warning("%s: %s", self.encoder.loaded.name, why)
        origin = self.encoder.origin(0)
        names = ("model", "revision", "fingerprint", "dtype")
        values = {"method": method, "uses_gold": False, **{key: origin[key] for key in names}}
        if method != PROBE:
            values["suite"] = ", ".join(one.name for one in self.suites)
        key = empty_key(run_key(**values), why)
        assert self.results is not None
        self.results.add(make_row(key=key, **values, why_empty=why))

    def _recoverer(self, encoder: Encoder, row: dict[str, Any]) -> ProbeRecoverer:
        """Load the probe of a row, on the model at hand."""
        from structprobe.probe.estimator import StructuralProbe

        assert self.results is not None
        probe = StructuralProbe.from_pretrained(probe_path(self.results.folder, row))
        return ProbeRecoverer(
            encoder, row["layer"], probe, cache=self.config.cache, progress=self.config.progress
        )


def plan_outcomes(
    encoders: Iterable[Encoder],
    treebank: Parts,
    suites: Any = "own",
    *,
    folder: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    rank: int | None = 64,
    seed: int = 0,
    punct: str | None = None,
    config: OutcomesConfig | None = None,
) -> list[dict[str, Any]]:
    """Estimate the cost of `outcomes` with the same arguments. Nothing is written.

    Parameters
    ----------
    encoders, treebank, suites, folder, layers, rank, seed, punct, config
        As for `outcomes`.

    Returns
    -------
    list of dict
        For each model what `plan_sweep` gives, and ``behaviour_sentences`` and
        ``intervention_sentences``, the numbers of sentences that are read, with
        ``behaviour_seconds`` and ``intervention_seconds``, at the speed of encoding (an estimate:
        the head costs more, what pairs share in front saves some); ``why_no_behaviour`` for a model
        without a language-model head.

    Raises
    ------
    StructprobeError
        As for `outcomes`.
    """
    config = checked_config(config, OutcomesConfig)
    groups = suite_groups(suites, config.pairs, seed)
    return [
        _Asked(encoder, treebank, groups, None, rank, seed, punct, config).plan(layers, folder)
        for encoder in encoders
    ]
