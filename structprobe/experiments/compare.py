"""Comparing all methods of recovering trees on the same sentences."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.devices import find_device
from structprobe.errors import ProbeError, ScoreError, StructprobeError, check_encoder
from structprobe.experiments.config import CompareConfig, checked_config
from structprobe.experiments.layers_ranks_seeds import check_seeds
from structprobe.experiments.runs.run import (
    Banks,
    Outcome,
    empty_row,
    outcome,
    timed,
    warn_after,
    warn_before,
)
from structprobe.experiments.vectors_folder import check_cache, vectors_folder
from structprobe.probe.training.recipes import recipe_version
from structprobe.progress import progress_bar
from structprobe.recoverers.base import MethodContext, Recoverer, fit_checked
from structprobe.recoverers.methods import ALL, Method, choose_methods
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.frames import Rows
from structprobe.results.rows import Row, per_cent
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import choose_protocol, kept_words
from structprobe.treebank.bank import Treebank
from structprobe.treebank.disturb import DISTURBANCES
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)


def compare(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    test: Sequence[Sentence],
    *,
    folder: str | os.PathLike[str],
    punct: str | None = None,
    methods: str | Recoverer | Method | Iterable[str | Recoverer | Method] = ALL,
    disturbed: bool = False,
    seed: int = 0,
    config: CompareConfig | None = None,
) -> Rows:
    """Fit methods on train, make choices on dev and score on test; one row per method.

    A method that does not suit the model, or fails with a `StructprobeError`, gets a row without
    scores that says why; the others continue, unless it failed because a disk is full, read-only or
    faulty. Methods that have a row with scores in the folder are not run again. Methods without
    `uses_gold` get only the words of the test set.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev, test : sequence of Sentence
        Sentences with heads, for training, for stopping and choosing, and for the scores.
    folder, punct
        As for `sweep`.
    methods : str, Recoverer, or iterable of them
        Names, ``"module:Class"``, or recoverers; by default all methods. A recoverer uses its own
        encoder, settings and cache. To resume, it is identified by its name, class and plain
        attributes that do not begin or end with an underscore.
    disturbed : bool, default=False
        Whether to also score the fitted methods on the test set with shuffled words, with swapped
        content words and with truncated sentences (see `structprobe.treebank.disturb`).
    seed : int, default=0
        Random state of all methods and perturbations.
    config : CompareConfig, optional
        Further options: cache, device, what is saved.

    Returns
    -------
    Rows
        A list of dicts, shown as a table: methods in the given order, perturbed versions
        (``words_as``) after the original. Times are for fitting and predicting, without encoding
        words; attention, impacts of masking and probes that several methods share count for the
        first method that needs them.

    Raises
    ------
    MethodError
        If a method is unknown or two have the same name; raised before anything is run.
    TreebankError
        If `disturbed` is set and the test set has no UPOS tags.
    ScoreError
        If a treebank is empty, or lacks heads or the tags that `punct` needs.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    ProbeError, ResultError, StoreError
        As for `sweep`.
    """
    config = checked_config(config, CompareConfig)
    chosen = choose_methods(methods)
    check_seeds([seed])
    find_device(config.device, error=ProbeError)
    check_folder(folder)
    check_cache(config.cache)
    banks = Banks.of(train, dev, test, punct, allow_withheld=config.allow_withheld)
    check_encoder(encoder, ProbeError)
    for bank in (banks.dev, banks.test):  # refuse a lack of tags before anything is fitted
        if bank is not None:
            kept_words(bank, np.array([*map(len, bank)]), choose_protocol(bank, banks.punct))
    if banks.test is None:
        raise ScoreError("there is nothing to score on", hint="give a test set")
    versions: dict[str | None, Banks] = {None: banks}
    for name, disturb in DISTURBANCES.items() if disturbed else ():
        versions[name] = replace(banks, test=disturb(banks.test, seed))
    results = ResultsFolder(folder)
    results.tell_command(config.command)
    warned = warn_before(banks)
    with (
        vectors_folder(results.folder, config.cache) as vectors,
        progress_bar("methods", len(chosen), "method", shown=config.progress) as advance,
    ):
        setting = MethodContext(
            encoder, seed=seed, punct=punct, cache=vectors, device=config.device,
            progress=config.progress,
        )  # fmt: skip
        model = {name: value for name, value in encoder.origin(0).items() if name != "layer"}
        comparison = _Comparison(setting, versions, results, config.keep_predictions, model)
        rows = Rows()
        for method in chosen:
            rows += comparison.rows_of(method)
            advance(1)
    results.mend()
    warn_after(rows, warned)
    return rows


@dataclass(frozen=True)
class _Comparison:
    """What all methods have in common."""

    setting: MethodContext
    versions: Mapping[str | None, Banks]  # The original test set at None, and perturbed ones
    results: ResultsFolder
    keep_predictions: bool
    model: Row  # The origin of the model's vectors, without the layer

    def rows_of(self, method: Method) -> list[Row]:
        """Return a method's rows, running those that are not in the folder yet."""
        deciding = self._deciding(method)  # before fitting, which may change its settings

        keys = {
            words_as: banks.key_of({**deciding, "words_as": words_as})
            for words_as, banks in self.versions.items()
        }
        done = {row["key"]: row for row in self.results.rows}
        found = {words_as: done[key] for words_as, key in keys.items() if key in done}
        todo = [words_as for words_as in self.versions if words_as not in found]
        for row, predictions in self._run(method, todo, keys) if todo else ():
            words_as = row["words_as"]
            why = row["why_empty"]
            self.results.add(row, self.versions[words_as].test, predictions)
            reasons = {one["why_empty"] for one in found.values()}
            if why is None or why not in reasons:
                _report(row)  # a reason that all versions share is logged once
            found[words_as] = row
        return [found[words_as] for words_as in self.versions]

    def _run(
        self, method: Method, todo: Sequence[str | None], keys: Mapping[str | None, str]
    ) -> Iterator[tuple[Row, Sequence[Prediction] | None]]:
        """Fit a method and score versions of the test set; yield rows and predictions."""
        try:
            recoverer = method.make(self.setting)
            with timed(self.setting.encoder) as fit_times:
                fit_checked(recoverer, self.versions[None].train, self.versions[None].dev)
        except StructprobeError as error:
            for words_as in todo:
                told = self._told(method.given or method.cls, method.name, words_as)
                yield empty_row(told, self.versions[words_as], keys[words_as], error), None
            return
        for words_as in todo:
            told = self._told(recoverer, method.name, words_as)
            try:
                found = self._scored(recoverer, told)
            except StructprobeError as error:
                yield empty_row(told, self.versions[words_as], keys[words_as], error), None
                continue
            row = found.row | {"key": keys[words_as]}
            if words_as is None:
                row |= {name: row[name] + seconds for name, seconds in fit_times.items()}
            kept = self.keep_predictions and words_as is None
            yield row, found.predictions if kept else None

    def _scored(self, recoverer: Recoverer, told: Row) -> Outcome:
        """Predict and score one version of the test set."""
        banks = self.versions[told["words_as"]]
        assert banks.test is not None
        shown = banks.test if recoverer.uses_gold else _bare(banks.test)
        with timed(self.setting.encoder) as times:
            predictions = recoverer.predict(shown)
        # What was chosen on dev, as JSON types; only now, since it may depend on these sentences.
        chosen = {name: _plain(value) for name, value in recoverer.chosen_.items()}
        return outcome({**told, **chosen, **times}, banks, {"test": predictions})

    def _told(self, recoverer: Recoverer | type[Recoverer], name: str, words_as: str | None) -> Row:
        """Describe a method for a row, or its class if the method could not be created."""
        told: Row = {"uses_gold": recoverer.uses_gold}
        said = {} if isinstance(recoverer, type) else recoverer.describe()
        if recoverer.reads_model:
            told |= {"seed": self.setting.seed, **({} if "fingerprint" in said else self.model)}
        told |= {key: value for key, value in said.items() if (key, value) != ("seed", None)}
        return {**told, "method": name, "words_as": words_as}

    def _deciding(self, method: Method) -> Row:
        """Return what determines a method's rows, before anything is created."""
        cls = method.cls
        own = method.given or cls
        deciding: Row = {
            "method": method.name,
            "class": f"{cls.__module__}:{cls.__qualname__}",
            "version": cls.version if cls.version > 1 else None,
            "settings": settings_of(method) or None,
            "seed": self.setting.seed,
        }
        if cls.reads_model:
            recipe = getattr(own, "recipe", "whitened")
            deciding |= self.model | recipe_version(recipe, str(self.model["dtype"]))
        if own.reads_head:
            from structprobe.masking.masked_head import head_fingerprint

            deciding |= {"head": head_fingerprint(self.setting.encoder)}
        return deciding


def settings_of(method: Method) -> Row:
    """Return the settings that are not in the method's name, as plain values for a key."""
    told = {} if method.name.endswith("]") else dict(method.told)  # brackets contain the settings
    usual = method.cls.variants.get(method.name, {})
    told = {name: value for name, value in told.items() if name not in usual}
    if method.given is not None:
        told |= {
            name: value
            for name, value in vars(method.given).items()
            if not (name.startswith("_") or name.endswith("_") or name in _NO_SETTINGS)
        }
    return {name: _plain(value) for name, value in told.items()}


# Attributes of a recoverer that do not affect its result, or are recorded elsewhere.
_NO_SETTINGS = {"name", "cache", "device", "progress", "verbose", "memory_gb"}


def _plain(value: Any) -> Any:
    """Convert a setting to JSON types."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if key not in _NO_SETTINGS}
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, Recoverer):  # whose trees another one builds on
        told = settings_of(Method(value.name, type(value), given=value))
        return [f"{type(value).__module__}:{type(value).__qualname__}", value.version, told]
    if hasattr(value, "origin"):  # an encoder
        told = value.origin(0).items()
        return {key: one for key, one in told if key not in ("model", "revision")}
    told = value.get_params() if hasattr(value, "get_params") else {}  # an estimator
    return [f"{type(value).__module__}:{type(value).__qualname__}", _plain(told)]


def _bare(bank: Treebank) -> Treebank:
    """Remove all gold annotation from sentences."""
    nothing: dict[str, Any] = dict.fromkeys(("heads", "deprels", "upos", "xpos"))
    return Treebank(replace(sentence, raw_lines=(), rows=(), **nothing) for sentence in bank)


def _report(row: Row) -> None:
    """Log a finished row."""
    name = row["method"] + (f" ({row['words_as']})" if row["words_as"] else "")
    if row["why_empty"]:
        _log.warning("%s has no scores: %s", name, row["why_empty"])
    else:
        _log.info("%s: UUAS %s", name, per_cent(row["uuas"]))
