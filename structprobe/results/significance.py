"""Which layers, methods, models or seeds of a results folder differ, by its saved predictions."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import stdev
from typing import Any

import numpy as np

from structprobe.errors import Hint, ResultError, ScoreError, counted, unknown_name
from structprobe.progress import progress_bar
from structprobe.results.folder import read_rows
from structprobe.results.rows import METRICS, Row, per_cent
from structprobe.results.saved_runs import (
    SAME_SCORE,
    has_predictions,
    read_gold,
    read_predictions,
)
from structprobe.results.settings import (
    PROTOCOL,
    SETTINGS,
    differing,
    name_banks,
    protocol_of,
    tell_settings,
    value_of,
)
from structprobe.scores import score
from structprobe.scores.paired import check_comparable
from structprobe.scores.pairwise import PairwiseTests, pairwise_tests
from structprobe.scores.protocol import Protocol
from structprobe.scores.result import Scores
from structprobe.treebank.sentence import Sentence

BY = ("layer", "method", "model", "seed")

_log = logging.getLogger(__name__)
_Systems = dict[str, list[Row]]  # The runs of each system, by its name


@dataclass(frozen=True)
class System:
    """A layer, method, model or seed of a `SignificanceTable`.

    Attributes
    ----------
    name : str
        Its name, such as ``"layer 3"``.
    value, low, high : float
        Its score, the mean over its runs, and the bootstrap interval over sentences.
    sd : float or None
        The standard deviation over seeds; None for one run.
    letters : str
        Systems that share a letter do not differ.
    keys : tuple of str
        The keys of its runs, one for each seed.
    chosen : str or None
        The layer, rank and so on of its runs, if they were chosen on the dev set.
    """

    name: str
    value: float
    low: float
    high: float
    sd: float | None
    letters: str
    keys: tuple[str, ...]
    chosen: str | None


@dataclass(frozen=True)
class SignificanceTable:
    """Systems of a results folder with the same test set and protocol, and tests of all pairs.

    Attributes
    ----------
    name : str
        What is compared, such as ``"layers of probe"``.
    systems : list of System
        The systems, the highest score first.
    tests : PairwiseTests
        The tests of all pairs.
    n_sentences : int
        The number of sentences.
    protocol : Protocol
        How the scores were computed.
    """

    name: str
    systems: Sequence[System]
    tests: PairwiseTests
    n_sentences: int
    protocol: Protocol

    def to_dict(self) -> dict[str, Any]:
        """Return the table as a dictionary for JSON.

        Returns
        -------
        dict
            The attributes, and those of the tests and the protocol.
        """
        told = asdict(self)
        tests, protocol = told.pop("tests"), told.pop("protocol")
        del tests["values"], tests["letters"]  # which the systems have
        return {**told, **protocol, **tests}


def significance(
    folder: str | os.PathLike[str],
    by: str = "layer",
    metric: str = "uuas",
    *,
    test: str = "bootstrap",
    correction: str = "holm",
    n: int = 10_000,
    level: float = 0.95,
    random_state: int | np.random.Generator | None = 0,
    progress: bool | None = None,
) -> list[SignificanceTable]:
    """Test which layers, methods, models or seeds of a results folder differ.

    The saved predictions are scored again. Runs on different test sets, or scored by different
    protocols, are never compared, but get a table each; so do runs that differ in other settings
    than the one that is compared. The score of a system is the mean over its seeds, and sentences
    are resampled, or swapped, with their counts averaged over seeds; CLAS is the F1 of these
    averages. If a method or model has several runs with the same seed, such as the layers of a
    sweep, the best on the dev set is compared.

    Parameters
    ----------
    folder : path
        A folder that `sweep` or `compare` wrote, with predictions.
    by : {"layer", "method", "model", "seed"}
        What to compare.
    metric, test, correction, n, level, random_state
        As for `pairwise_tests`; p-values are corrected for the number of pairs of each table.
    progress : bool, optional
        Whether to show a progress bar; by default if stderr is a terminal.

    Returns
    -------
    list of SignificanceTable
        One table for each group of at least two systems.

    Raises
    ------
    StructprobeError
        If the folder is not a results folder, or has no predictions; if there are fewer than two
        systems to compare, or there are no dev scores to choose between several runs; or if an
        argument is invalid.
    """
    if by not in BY:
        raise ResultError(unknown_name("by", by, BY))
    if metric not in METRICS:
        raise ResultError(unknown_name("score", metric, METRICS))
    how = {"test": test, "correction": correction, "n": n, "level": level}
    how |= {"random_state": random_state}
    rows = _scored_rows(folder, metric)
    return compare_rows(folder, rows, by, metric, how, {}, progress)


def compare_rows(
    folder: str | os.PathLike[str],
    rows: Sequence[Row],
    by: str,
    metric: str,
    how: Mapping[str, Any],
    known: Mapping[str, Scores],
    progress: bool | None = None,
) -> list[SignificanceTable]:
    """Test the given rows as `significance` does; some scores may be known, by the row's key."""
    groups = _groups(rows, by)
    several = [own for own in groups if len(own) > 1]
    if not several:
        names = ", ".join(dict.fromkeys(name for own in groups for name in own)) or "none"
        what = f"nothing to compare by {by}: no two {by}s with {metric} and saved predictions on "
        what += f"the same test set by the same protocol (found: {names})"
        hint = Hint("choose another by=", shell="choose another --by")
        raise ResultError(what, where=str(folder), hint=hint)
    chosen = [{name: _runs_of(name, runs, metric) for name, runs in own.items()} for own in several]
    firsts = [next(iter(own.values()))[0] for own in chosen]
    apart = [key for key in ("layer", "rank", *SETTINGS, *PROTOCOL) if key != by]
    apart = differing(firsts, [key for key in apart if key not in _FREE[by]])
    used = [run for own in chosen for runs in own.values() for run in runs]
    gold = read_gold(folder, [run for run in used if run["key"] not in known])
    tables: list[SignificanceTable] = []
    faults: list[ScoreError] = []
    with progress_bar("read", len(used), "run", shown=progress) as advance:
        for own, whole, first in zip(chosen, several, firsts, strict=True):
            found: dict[str, list[Scores]] = {}
            for name, runs in own.items():
                found[name] = []
                for run in runs:
                    if (scores := known.get(run["key"])) is None:
                        scores = _scores_of(folder, run, gold, metric)
                    found[name].append(scores)
                    advance(1)
            told = ", ".join([_common(by, first), *tell_settings(first, apart)])
            try:
                means = {name: _mean_scores(each, metric) for name, each in found.items()}
                tests = pairwise_tests(means, metric, **how)
            except ScoreError as error:
                faults.append(error)
                continue
            systems = [
                _system(name, means[name], found[name], own[name], whole[name], tests)
                for name in tests.values
            ]
            mean = means[systems[0].name]
            tables.append(SignificanceTable(told, systems, tests, len(mean.table), mean.protocol))
    if not tables:
        raise faults[0]
    for fault in faults:
        _log.warning("a group was left out: %s", fault)
    return tables


def _scored_rows(folder: str | os.PathLike[str], metric: str) -> list[Row]:
    """Read the rows that have the score and predictions."""
    rows = [row for row in name_banks(read_rows(folder)) if row["words_as"] is None]
    scored = [row for row in rows if row[metric] is not None]
    kept = [row for row in scored if has_predictions(folder, row["key"])]
    if scored and not kept:
        hint = Hint("run it again with keep_predictions=True", shell="run the command again "
                    "without --no-keep-predictions")  # fmt: skip
        raise ResultError("no predictions were saved", where=str(folder), hint=hint)
    # Controls, which never have any, are compared with what they control by their selectivity.
    real = [row for row in scored if row["control"] is None]
    if missing := sum(not has_predictions(folder, row["key"]) for row in real):
        _log.warning("%s without saved predictions left out", counted(missing, "run"))
    return kept


# What the runs of one group may differ in beside what is compared; of these, dev chooses.
_FREE = {"layer": (), "seed": (), "method": ("layer", "head", "rank", *SETTINGS[1:]),
         "model": ("layer", "head", "rank", *SETTINGS)}  # fmt: skip


def _groups(rows: Sequence[Row], by: str) -> list[_Systems]:
    """Group the runs that can be compared, by the names of their systems."""
    apart = differing(rows)
    groups: dict[tuple[Any, ...], _Systems] = {}
    for row in rows:
        if by != "method" and row[by] is None:
            continue
        own = {
            "layer": ("method", "uses_gold", "rank", *apart),
            "seed": ("method", "uses_gold", "layer", "head", "rank", *apart),
            "method": ("model",),
            "model": ("method", "uses_gold"),
        }[by]
        group = (*protocol_of(row), *(value_of(row, key) for key in own))
        value = value_of(row, by)
        gold = " (uses gold)" if by == "method" and row["uses_gold"] else ""
        name = f"{value}{gold}" if by in ("method", "model") else f"{by} {value}"
        groups.setdefault(group, {}).setdefault(name, []).append(row)
    if by == "method":
        _share_plain(groups)
    if by == "layer":
        made = [_of_common_seeds(own) for own in groups.values()]
        return [dict(sorted(own.items(), key=lambda one: one[1][0]["layer"])) for own in made]
    return [*groups.values()]


def _share_plain(groups: dict[tuple[Any, ...], _Systems]) -> None:
    """Put methods without a model, such as the linear chain, beside those of every model."""
    for group in [group for group in groups if group[-1] is None]:
        others = [own for key, own in groups.items() if key[:-1] == group[:-1] and key != group]
        for own in others:
            own |= {name: runs for name, runs in groups[group].items() if name not in own}
        if others:
            del groups[group]


def _of_common_seeds(systems: _Systems) -> _Systems:
    """Leave out the seeds that some layers lack, such as those of a sweep that is not finished."""
    seeds = [{row["seed"] for row in own} for own in systems.values()]
    common = set.intersection(*seeds)
    if left_out := sorted(map(str, set.union(*seeds) - common)):
        _log.warning("left out, since some layers lack them: seed %s", ", ".join(left_out))
    kept = {name: [row for row in own if row["seed"] in common] for name, own in systems.items()}
    return kept if common else {}


def _runs_of(name: str, runs: Sequence[Row], metric: str) -> list[Row]:
    """Give one run for each seed, the best on dev of several."""
    of_seed: dict[object, list[Row]] = {}
    for row in runs:
        of_seed.setdefault(row["seed"], []).append(row)
    return [_best(name, own, metric) for own in of_seed.values()]


def _best(name: str, runs: Sequence[Row], metric: str) -> Row:
    if len(runs) == 1:
        return runs[0]
    scores = f"dev_{metric}", "dev_uuas"
    keys = [key for key in scores if all(row[key] is not None for row in runs)]
    if not keys or any(row["part"] != "test" for row in runs):
        what = f"{name} has {len(runs)} runs with saved predictions, and no scores on a dev set, "
        what += "other than the scored one, to choose from them by"
        raise ResultError(what, hint="compare layers, or give a test set beside the dev set")
    if len({row["dev_fingerprint"] for row in runs}) > 1:
        what = f"{name} has {len(runs)} runs with scores on different dev sets, by which none can "
        what += "be chosen"
        raise ResultError(what, hint="compare layers, or runs with the same dev set")
    return max(runs, key=lambda row: row[keys[0]])


def _scores_of(
    folder: str | os.PathLike[str],
    row: Row,
    gold: Mapping[object, Sequence[Sentence]],
    metric: str,
) -> Scores:
    """Score the predictions of a run, and say where its row has another score."""
    predictions = [prediction for _, prediction in read_predictions(folder, row["key"])]
    sentences = gold[row["treebank_fingerprint"]]
    if any(one.heads is None for one in sentences):
        what = f"the predictions of run {row['key']!r} were saved without gold trees"
        raise ResultError(what, where=str(folder), hint="run the command again in a new folder")
    scores = score(sentences, predictions, punct=row["punct"])
    value = getattr(scores, metric)
    if value is None or abs(value - row[metric]) > SAME_SCORE:
        told = f"says {metric} {per_cent(row[metric])}, but its saved predictions score "
        _log.warning("the row of run %s %s%s", row["key"], told, per_cent(value))
    return scores


def _mean_scores(runs: Sequence[Scores], metric: str) -> Scores:
    """Average the counts of runs on the same sentences, and with them the score."""
    for other in runs[1:]:
        check_comparable(runs[0], other, metric)
    return replace(runs[0], table=np.mean([one.table for one in runs], axis=0))


def _system(
    name: str,
    mean: Scores,
    scores: Sequence[Scores],
    runs: Sequence[Row],
    candidates: Sequence[Row],
    tests: PairwiseTests,
) -> System:
    """Describe one system: its score, how sure it is, and its runs."""
    metric, level = tests.metric, tests.level
    low, high = mean.interval(metric, level=level) or (np.nan, np.nan)
    values = [getattr(one, metric) for one in scores]
    apart = differing(candidates, ("layer", "head", "rank", *SETTINGS))
    chosen = (
        [", ".join(tell_settings(run, apart)) for run in runs]
        if len(candidates) > len(runs)
        else []
    )
    return System(
        name, tests.values[name], low, high, stdev(values) if len(values) > 1 else None,
        tests.letters[name], tuple(run["key"] for run in runs),
        " / ".join(dict.fromkeys(chosen)) or None,
    )  # fmt: skip


def _common(by: str, row: Row) -> str:
    """Name what the systems of a group have in common, with the method."""
    return "methods" if by == "method" else f"{by}s of {row['method']}"
