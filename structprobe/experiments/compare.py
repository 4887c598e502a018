"""Compare every way of recovering trees on the same sentences by the same scores."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.devices import find_device
from structprobe.errors import ProbeError, StructprobeError
from structprobe.experiments.config import CompareConfig
from structprobe.experiments.runs.grid import check_seeds
from structprobe.experiments.runs.run import Banks, Outcome, outcome, recipe_version, timed
from structprobe.experiments.vectors_folder import check_cache, vectors_folder
from structprobe.progress import progress_bar
from structprobe.recoverers.base import MethodContext, Recoverer
from structprobe.recoverers.methods import ALL, Method, choose_methods
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.frames import Rows
from structprobe.results.rows import Row, make_row, per_cent
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
    out: str | os.PathLike[str],
    methods: str | Recoverer | Method | Iterable[str | Recoverer | Method] = ALL,
    disturbed: bool = False,
    punct: str | None = None,
    seed: int = 0,
    config: CompareConfig | None = None,
) -> Rows:
    """Fit what needs fitting, choose on dev, score on test; one row per method.

    A method that is unfit for the model, or fails with a `StructprobeError`, has a row without
    scores that says why, and the others go on. A method whose row is in the folder is not run
    again; one whose row is empty is tried again. A method that does not declare `uses_gold` is
    given the bare words of test: no heads, relations or tags.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev, test : sequence of Sentence
        Sentences with heads: to learn from, to stop and choose by, and to report on.
    out : path
        The folder of results: a new or empty one, or one that structprobe made. A row is written
        as soon as it is there.
    methods : str, Recoverer, or iterable of them
        As `choose_methods` takes them: names, ``"module:Class"``, or recoverers. A recoverer
        brings its own encoder, settings and cache. It is known in the folder by its name, its class
        and its plain attributes that do not begin or end with an underscore.
    disturbed : bool, default=False
        Whether the fitted methods are scored too on test with its words shuffled, with content
        words swapped and with sentences truncated (see `structprobe.treebank.disturb`).
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy, on dev as on test.
    seed : int, default=0
        Random state of all methods and disturbances.
    config : CompareConfig, optional
        All else: the cache, the device, what is kept.

    Returns
    -------
    Rows
        A list of dicts, which shows itself as a table: method by method in the order that was asked
        for, disturbed versions (``words_as``) behind the original. Times are those of fitting and
        predicting; word vectors are encoded once for all methods and not among them. What else of
        the model several methods share (attention, impacts of masking) counts for the first of
        them.

    Raises
    ------
    MethodError
        If a method is unknown, or two go by one name; before anything is run.
    ScoreError
        If a treebank is empty or lacks heads, or the tags that `punct` looks at.
    TreebankError
        If content words are to be swapped and test has no UPOS.
    ProbeError
        If the seed is below 0.
    ResultError
        If the folder is not ours or cannot be written; rows already there stay.
    StoreError
        If ``config.cache`` is no folder for word vectors.
    """
    config = config or CompareConfig()
    chosen = choose_methods(methods)
    check_seeds([seed])
    find_device(config.device, error=ProbeError)
    check_folder(out)
    check_cache(config.cache)
    banks = Banks.of(train, dev, test, punct)
    _check_tags(banks)
    versions = _versions(banks, seed if disturbed else None)
    results = ResultsFolder(out)
    results.tell_command(config.command)
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
    return rows


def _check_tags(banks: Banks) -> None:
    """Refuse treebanks that cannot be scored by the protocol, before anything is fitted."""
    for part, bank in banks.parts.items():
        if part != "train":
            kept_words(bank, np.array([*map(len, bank)]), choose_protocol(bank, banks.punct))


def _versions(banks: Banks, seed: int | None) -> dict[str | None, Banks]:
    """Give the treebanks with test as it is and, with a seed, with test disturbed."""
    assert banks.test is not None
    versions: dict[str | None, Banks] = {None: banks}
    if seed is not None:
        for name, disturb in DISTURBANCES.items():
            versions[name] = replace(banks, test=disturb(banks.test, seed))
    return versions


@dataclass(frozen=True)
class _Comparison:
    """What all methods have in common."""

    setting: MethodContext
    versions: Mapping[str | None, Banks]
    results: ResultsFolder
    keep_predictions: bool
    model: Row  # Where the model's vectors come from, whatever the layer

    def rows_of(self, method: Method) -> list[Row]:
        """Give a method's rows, and make those that are not there yet."""
        deciding = self._deciding(method)  # before a fit, which may add to what it is set to

        def key(words_as: str | None, **more: object) -> str:
            return self.versions[words_as].key_of({**deciding, "words_as": words_as, **more})

        keys = {words_as: key(words_as) for words_as in self.versions}
        done = {row["key"]: row for row in self.results.rows}
        found = {words_as: done[key] for words_as, key in keys.items() if key in done}
        todo = [words_as for words_as in self.versions if words_as not in found]
        for row, predictions in self._run(method, todo) if todo else ():
            words_as = row["words_as"]
            row["key"] = key(words_as, why_empty=row["why_empty"])
            self.results.add(row, self.versions[words_as].test, predictions)
            reasons = {one["why_empty"] for one in found.values()}
            if row["why_empty"] is None or row["why_empty"] not in reasons:
                _report(row)  # a reason that all versions have is told once
            found[words_as] = row
        return [found[words_as] for words_as in self.versions]

    def _run(
        self, method: Method, todo: Sequence[str | None]
    ) -> Iterator[tuple[Row, Sequence[Prediction] | None]]:
        """Fit a method and score it on some versions of test; give what is to be kept."""
        try:
            recoverer = method.make(self.setting)
            with timed(self.setting.encoder) as fit_times:
                recoverer.fit(self.versions[None].train, self.versions[None].dev)
        except StructprobeError as error:
            for words_as in todo:
                told = self._told(method.given or method.cls)
                yield self._empty(told, method, words_as, error), None
            return
        for words_as in todo:
            told = self._told(recoverer)
            try:
                found = self._scored(recoverer, told, method, words_as)
            except StructprobeError as error:
                yield self._empty(told, method, words_as, error), None
                continue
            row = found.row
            if words_as is None:
                row |= {name: row[name] + seconds for name, seconds in fit_times.items()}
            kept = self.keep_predictions and words_as is None
            yield row, found.predictions if kept else None

    def _scored(
        self, recoverer: Recoverer, told: Row, method: Method, words_as: str | None
    ) -> Outcome:
        """Predict on one version of test and score."""
        banks = self.versions[words_as]
        assert banks.test is not None
        shown = banks.test if recoverer.uses_gold else _bare(banks.test)
        with timed(self.setting.encoder) as times:
            predictions = recoverer.predict(shown)
        told = told | _chosen(recoverer)  # only now, since it may tell of these sentences
        told |= {"method": method.name, "words_as": words_as, **times}
        return outcome(told, banks, {"test": predictions})

    def _empty(
        self, told: Row, method: Method, words_as: str | None, error: StructprobeError
    ) -> Row:
        """Make a row without scores that says why."""
        banks = self.versions[words_as]
        assert banks.test is not None
        told |= {"method": method.name, "words_as": words_as, **banks.values()}
        told |= {"n_sentences": len(banks.test), "n_words": banks.test.n_words}
        return make_row(**told, why_empty=" ".join(str(error).split()))

    def _told(self, recoverer: Recoverer | type[Recoverer]) -> Row:
        """Tell what a row tells of a method, or of a class that none could be made of."""
        told: Row = {"uses_gold": recoverer.uses_gold}
        said = {} if isinstance(recoverer, type) else recoverer.describe()
        if recoverer.reads_model:
            told |= {"seed": self.setting.seed, **({} if "fingerprint" in said else self.model)}
        return told | {key: value for key, value in said.items() if (key, value) != ("seed", None)}

    def _deciding(self, method: Method) -> Row:
        """Tell what decides a method's rows, before anything is made."""
        cls = method.cls
        deciding: Row = {
            "method": method.name,
            "class": f"{cls.__module__}:{cls.__qualname__}",
            "version": cls.version if cls.version > 1 else None,
            "settings": settings_of(method) or None,
            "seed": self.setting.seed,
        }
        if cls.reads_model:
            deciding |= self.model | recipe_version("whitened", str(self.model["dtype"]))
        return deciding


def settings_of(method: Method) -> Row:
    """Give what was set by hand and a method's name does not say, in plain values for a key."""
    told = {} if method.name.endswith("]") else dict(method.told)  # brackets say what is in them
    usual = method.cls.variants.get(method.name, {})
    told = {name: value for name, value in told.items() if name not in usual}
    if method.given is not None:
        told |= {
            name: value
            for name, value in vars(method.given).items()
            if not (name.startswith("_") or name.endswith("_") or name in _NO_SETTINGS)
        }
    return {name: _plain(value) for name, value in told.items()}


# What a recoverer is given that does not decide its result, or is told elsewhere.
_NO_SETTINGS = {"name", "cache", "device", "progress", "verbose", "memory_gb"}


def _plain(value: Any) -> Any:
    """Give a setting as what JSON knows."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if key not in _NO_SETTINGS}
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(one) for one in value]
    if hasattr(value, "origin"):  # an encoder
        return {
            key: one for key, one in value.origin(0).items() if key not in ("model", "revision")
        }
    told = value.get_params() if hasattr(value, "get_params") else {}  # an estimator
    return [f"{type(value).__module__}:{type(value).__qualname__}", _plain(told)]


def _chosen(recoverer: Recoverer) -> Row:
    """Tell what was chosen on dev, in plain values that JSON knows."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in recoverer.chosen_.items()
    }


def _bare(bank: Treebank) -> Treebank:
    """Take from sentences all that is gold."""
    nothing: dict[str, Any] = dict.fromkeys(("heads", "deprels", "upos", "xpos"))
    return Treebank(replace(sentence, raw_lines=(), rows=(), **nothing) for sentence in bank)


def _report(row: Row) -> None:
    """Log a row as it comes."""
    name = row["method"] + (f" ({row['words_as']})" if row["words_as"] else "")
    if row["why_empty"]:
        _log.warning("%s has no scores: %s", name, row["why_empty"])
    else:
        _log.info("%s: UUAS %s", name, per_cent(row["uuas"]))
