"""What a language model prefers: minimal pairs and SyntaxGym suites, scored by paradigm."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.behaviour.texts import space_text
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.errors import Hint, ResultError, StructprobeError, refuse_kind, unknown_name
from structprobe.output_paths import check_file
from structprobe.progress import progress_bar
from structprobe.results.folder import ResultsFolder, check_folder
from structprobe.results.frames import Rows
from structprobe.results.rows import BEHAVIOUR, Row, empty_key, make_row, run_key
from structprobe.stimuli.bias import Resampling
from structprobe.stimuli.suites.formulas import WHOLE
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.reading import SuiteGroup, read_suites
from structprobe.stimuli.suites.scoring import (
    ALL,
    Behaviour,
    regions_of,
    score_pairs,
    score_suites,
)
from structprobe.stimuli.suites.syntaxgym import Suite
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.behaviour.language_model import LanguageModel

Floats = NDArray[np.float64]
Suites = str | os.PathLike[str] | SuiteGroup | Iterable[str | os.PathLike[str] | SuiteGroup]

PER = ("token", "word")
MASKED = "masked"
_VERSION = 1  # of what is scored, part of the key of a row
_COLUMNS = ("sentence", "suite", "paradigm", "item", "condition", "word", "form", "surprisal")


def read_behaviour(
    language_model: LanguageModel,
    suites: Suites,
    *,
    pairs: int | None = None,
    per: str | None = None,
    seed: int = 0,
    surprisals: str | os.PathLike[str] | None = None,
    n: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
    progress: bool | None = None,
) -> list[Behaviour]:
    """Score which sentence of minimal pairs a language model prefers, by paradigm and phenomenon.

    A causal model prefers the sentence with the higher log-probability, a masked model that with
    the higher pseudo-log-likelihood; both are sums over tokens, as `LanguageModel` gives them. In a
    SyntaxGym suite, predictions are formulas over the surprisals of regions, in bits, each the sum
    over its words; they need a causal model.

    Parameters
    ----------
    language_model : LanguageModel
        The model.
    suites : path, SuiteGroup or iterable of these
        As for `structprobe.stimuli.suites.read_suites`: files, folders, globs, ``"own"``.
    pairs : int, optional
        Score the first pairs of each paradigm alone, and the first items of a SyntaxGym suite.
    per : {"token", "word"}, optional
        Divide scores by the number of scored tokens, or of words; by default not. Surprisals of
        regions stay sums.
    seed : int, default=0
        Random seed of made pairs.
    surprisals : path, optional
        A new file to which the surprisal of every word is written, in bits, separated by tabs.
    n, level, random_state
        Number of resamples, level and random seed of the bootstrap intervals.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of Behaviour
        Suite by suite the rows of `score_pairs` or `score_suites`. What cannot be read or scored
        has an empty row, which says why.

    Raises
    ------
    StructprobeError
        If nothing at all can be scored; if `pairs` or `per` is not one of the above, or surprisals
        are asked of a masked model.
    ResultError
        If the file of surprisals exists or cannot be written.
    """
    _check_choices(language_model, pairs, per, surprisals)
    how = Resampling(n, level, random_state)
    words = _Words() if surprisals is not None else None
    groups = suite_groups(suites, pairs, seed)
    found = [
        row
        for group in groups
        for row in _Asked(language_model, group, per, how, progress, words).rows()
    ]
    if not any(row.n for row in found):
        raise StructprobeError(next(row.why_empty for row in found if row.why_empty) or "no pairs")
    if words is not None and surprisals is not None:
        words.write(surprisals)
    return found


def behaviour_rows(
    language_model: LanguageModel,
    suites: Suites,
    *,
    folder: str | os.PathLike[str],
    pairs: int | None = None,
    per: str | None = None,
    seed: int = 0,
    command: str | None = None,
    progress: bool | None = None,
) -> Rows:
    """Score suites as `read_behaviour` does, and save them in a results folder: one row per suite.

    Suites that are already in the folder, by what they ask and how, are skipped. The row of a suite
    has the scores of all of its pairs or items; those by phenomenon and paradigm lie beside it in
    ``stimuli/``, from where `structprobe report` shows them.

    Parameters
    ----------
    language_model, suites
        As for `read_behaviour`.
    folder : path
        The results folder: new, empty, or from structprobe.
    pairs, per, seed
        As for `read_behaviour`.
    command : str, optional
        The command line, which the folder keeps.
    progress : bool, optional
        As for `read_behaviour`.

    Returns
    -------
    Rows
        The rows of all suites.

    Raises
    ------
    StructprobeError
        As for `read_behaviour`.
    ResultError
        If the folder is not a results folder or cannot be written.
    """
    _check_choices(language_model, pairs, per, None)
    check_folder(folder)
    groups = suite_groups(suites, pairs, seed)
    runs = [_values(language_model, group, per) for group in groups]
    results = ResultsFolder(folder)
    results.tell_command(command)
    keys, done = results.keys, []
    for group, values in zip(groups, runs, strict=True):
        if values["key"] in keys:
            done.append(values["key"])
            continue
        found = _Asked(language_model, group, per, Resampling(), progress, None).rows()
        (every,) = (one for one in found if one.level == ALL)
        told = {name: value for name, value in every.values().items() if name in _TOLD}
        warnings = list(dict.fromkeys(f"{group.name}: {text}" for text in every.notes)) or None
        if every.why_empty is not None:
            reasons = dict.fromkeys(one.why_empty for one in found if one.level != ALL)
            why = "; ".join(filter(None, reasons)) or every.why_empty
            values |= {"why_empty": why, "key": empty_key(values["key"], why)}
        row = make_row(**values, **told, n_pairs=every.n, warnings=warnings)
        results.add(row, conditions=[*map(_condition, found)] if every.n else ())
        done.append(row["key"])
    by_key = {row["key"]: row for row in results.rows}
    return Rows(by_key[key] for key in done)


_TOLD = tuple(f"{name}{end}" for name in ("accuracy", "margin") for end in ("", "_low", "_high"))


def _values(model: LanguageModel, group: SuiteGroup, per: str | None) -> Row:
    """Give the known values of a row, and its key."""
    origin = model.encoder.origin(0)
    names = ("model", "revision", "fingerprint", "dtype", "lang", "quantize", "model_part")
    values = {"method": BEHAVIOUR, "uses_gold": False}
    values |= {name: origin[name] for name in names if name in origin}
    if any(not isinstance(one.good, str) for one in group.pairs):
        values["spacing"] = origin.get("spacing")
    values |= {"suite": group.name, "suite_fingerprint": group.fingerprint, "per": per}
    values |= {"lm_kind": model.kind, "scores_first": model.scores_first}
    key = run_key(**values, faults=sorted(group.faults), behaviour_version=_VERSION)
    return {"key": key, **values}


def _condition(row: Behaviour) -> dict[str, Any]:
    """Give a row of behaviour as scores by condition are saved: phenomenon, paradigm, numbers."""
    names = [*_TOLD, "mean_accuracy", "ties", "n"]
    told = row.values()
    condition = row.phenomenon or (row.suite if row.level != ALL else ALL)
    value = ALL if row.level in (ALL, "phenomenon") else row.paradigm
    if row.formula is not None:
        value = f"{value}: {row.formula}"
    return {"condition": condition, "value": value} | {name: told[name] for name in names}


def _check_choices(
    model: Any, pairs: int | None, per: str | None, surprisals: str | os.PathLike[str] | None
) -> None:
    """Refuse choices that no suite could be scored by."""
    if not hasattr(model, "pair_log_probs"):
        refuse_kind("language_model", model, "a LanguageModel", StructprobeError,
                    "pass LanguageModel(encoder)")  # fmt: skip
    if pairs is not None and (isinstance(pairs, bool) or not isinstance(pairs, int) or pairs < 1):
        raise StructprobeError(f"pairs={pairs!r}", hint="ask for at least 1 of each paradigm")
    if per is not None and per not in PER:
        raise StructprobeError(unknown_name("unit", per, PER))
    if surprisals is None:
        return
    check_new_file(surprisals)
    if model.kind == MASKED:
        what = "a masked model has no surprisals, which depend on the words before alone"
        hint = Hint("leave out surprisals, or pass a causal model",
                    shell="leave out --surprisals, or give a causal model")  # fmt: skip
        raise StructprobeError(what, hint=hint)


def check_new_file(path: str | os.PathLike[str]) -> None:
    """Refuse a file of surprisals that exists or cannot be written."""
    if os.path.isfile(path):
        raise ResultError("already exists", where=str(path), hint="choose another file name")
    check_file(path, force=False)


def suite_groups(suites: Suites, pairs: int | None, seed: int) -> list[SuiteGroup]:
    """Read suites, unless they were read before."""
    given: list[Any]
    given = [suites] if isinstance(suites, str | os.PathLike | SuiteGroup) else list(suites)
    read = [one.first(pairs) for one in given if isinstance(one, SuiteGroup)]
    names = [one for one in given if not isinstance(one, SuiteGroup)]
    return [*read, *(read_suites(names, n=pairs, seed=seed) if names or not read else ())]


class _Words:
    """The surprisal of every word that was scored, as lines of a table."""

    def __init__(self) -> None:
        self._n_sentences = 0
        self._text = io.StringIO()
        self._lines = csv.writer(self._text, "excel-tab", lineterminator="\n")
        self._lines.writerow(_COLUMNS)

    def add(self, where: Sequence[object], words: Sequence[str], bits: Floats) -> None:
        """Add the words of a sentence; one that was not scored has no surprisal."""
        self._n_sentences += 1
        for place, (word, one) in enumerate(zip(words, bits, strict=True), 1):
            told = "" if np.isnan(one) else f"{one:.6f}"
            self._lines.writerow([self._n_sentences, *where, place, word, told])

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table."""
        from structprobe.treebank.writing import write_text

        write_text(path, self._text.getvalue())


class _Asked:
    """A model that is asked about the suites of one group."""

    def __init__(
        self,
        model: LanguageModel,
        group: SuiteGroup,
        per: str | None,
        how: Resampling,
        progress: bool | None,
        words: _Words | None,
    ) -> None:
        self.model, self.group, self.per, self.how = model, group, per, how
        self.progress, self.words = progress, words

    def rows(self) -> list[Behaviour]:
        """Score the group."""
        found = self._of_suites() if self.group.suites else self._of_pairs()
        told = {"model": self.model.encoder.origin(0).get("model"), "kind": self.model.kind}
        told |= {"scores_first": self.model.scores_first, "per": self.per}
        if any(not isinstance(one.good, str) for one in self.group.pairs):
            told["spacing"] = self.model.encoder.spacing
        return [replace(one, scoring=told) for one in found]

    def _of_pairs(self) -> list[Behaviour]:
        """Score all pairs at once, or by paradigm where one of them cannot be scored."""
        pairs, faults = list(self.group.pairs), dict(self.group.faults)
        try:
            scores = self._scored(pairs) if pairs else np.zeros((0, 2))
        except StructprobeError:
            by_paradigm: dict[str, list[MinimalPair]] = {}
            for one in pairs:
                by_paradigm.setdefault(one.paradigm, []).append(one)
            pairs, parts = [], []
            for name, own in by_paradigm.items():
                try:
                    parts.append(self._scored(own))
                    pairs += own
                except StructprobeError as error:
                    faults[name] = str(error)
            scores = np.concatenate(parts) if parts else np.zeros((0, 2))
        return score_pairs(self.group.name, pairs, scores, faults=faults, how=self.how)

    def _scored(self, pairs: Sequence[MinimalPair]) -> Floats:
        """Score pairs, and say of which sentence a fault is."""
        # -> (n_pairs, 2)
        texts = [(_placed(one.good, one.where), _placed(one.bad, one.where)) for one in pairs]
        scores = self.model.pair_log_probs(texts, per=self.per, progress=self.progress)
        if self.words is not None:
            flat = [text for both in texts for text in both]
            bits = iter(self.model.surprisals(flat, progress=self.progress))
            for one, both in zip(pairs, texts, strict=True):
                for name, text in zip(("good", "bad"), both, strict=True):
                    where = (self.group.name, one.paradigm, one.number, name)
                    self.words.add(where, text.words, next(bits))
        return scores

    def _of_suites(self) -> list[Behaviour]:
        """Score suites one by one."""
        faults, found = dict(self.group.faults), {}
        n_suites = len(self.group.suites)
        with progress_bar("suites", n_suites, "suite", shown=self.progress) as advance:
            for suite in self.group.suites:
                try:
                    found[suite.name] = self._regions(suite)
                except StructprobeError as error:
                    faults[suite.name] = str(error)
                advance(1)
        kept = [one for one in self.group.suites if one.name in found]
        return score_suites(self.group.name, kept, found, faults=faults, how=self.how)

    def _regions(self, suite: Suite) -> list[Mapping[Any, float]]:
        """Give the surprisals of the regions that the predictions of a suite name, by item."""
        places = [(item, name) for item in suite.items for name in suite.conditions]
        texts = [
            _placed(item.text(name), f"{suite.where}: item {item.number}: condition {name!r}")
            for item, name in places
        ]
        bits = self.model.surprisals(texts, progress=self.progress)
        whole: dict[tuple[int, str], float] = {}
        named = [one for formula in suite.predictions for one in formula.regions]
        if any(one.number is WHOLE for one in named):  # as texts are scored elsewhere
            sums = self.model.log_probs(texts, progress=self.progress) / -np.log(2)
            whole = {(item.number, name): float(one)
                     for (item, name), one in zip(places, sums, strict=True)}  # fmt: skip
        by_item: dict[int, dict[str, Floats]] = {}
        for (item, name), text, own in zip(places, texts, bits, strict=True):
            by_item.setdefault(item.number, {})[name] = own
            if self.words is not None:
                where = (self.group.name, suite.name, item.number, name)
                self.words.add(where, text.words, own)
        return [
            regions_of(
                item,
                by_item[item.number],
                {name: whole.get((item.number, name), np.nan) for name in suite.conditions},
                suite,
            )
            for item in suite.items
        ]


def _placed(text: str | Sentence, where: str) -> SpacedWords | Sentence:
    """Split a text into words, with its place, which errors name."""
    return replace(space_text(text, 0, "words"), where=where) if isinstance(text, str) else text
