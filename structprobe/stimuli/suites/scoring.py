"""What a model prefers, from plain log-probabilities and surprisals: one row a paradigm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import StructprobeError, counted
from structprobe.stimuli.bias import Estimate, Resampling, flat_values, ratio
from structprobe.stimuli.suites.formulas import WHOLE, Region
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.syntaxgym import Item, Suite

Floats = NDArray[np.float64]

FEW = 10  # With fewer units, an interval says next to nothing
ALL = "all"
_SPREAD = ("accuracy", "margin")


@dataclass(frozen=True)
class Behaviour:
    """How often a model prefers what is grammatical: in a paradigm, a phenomenon or a suite.

    Attributes
    ----------
    suite : str
        The name of the suite: the folder or file.
    level : {"prediction", "paradigm", "phenomenon", "all"}
        What is summed up: one prediction of a SyntaxGym suite; a paradigm of pairs, or a SyntaxGym
        suite, in whose items all predictions hold; the paradigms of a phenomenon; or all.
    paradigm, phenomenon : str or None
        Their names; None in rows that sum up several, or if not known.
    formula : str or None
        The prediction, in rows of one.
    n : int
        The number of pairs, or of items.
    accuracy : Estimate or None
        The share of pairs whose grammatical sentence has the higher score, or of items in which the
        predictions hold, with its bootstrap interval over pairs or items.
    mean_accuracy : float or None
        The mean of the accuracies of the paradigms, in rows that sum up several.
    margin : Estimate or None
        The mean difference between the scores of the two sentences, in nats; None for predictions.
    ties : int or None
        The number of pairs whose sentences have the same score: they count as not preferred.
    notes : tuple of str
        What to know of the numbers, in words.
    why_empty : str or None
        Why there are none.
    scoring : mapping
        How the model was asked: ``model``, ``kind``, ``scores_first``, ``per``.
    """

    suite: str
    level: str
    paradigm: str | None = None
    phenomenon: str | None = None
    formula: str | None = None
    n: int = 0
    accuracy: Estimate | None = None
    mean_accuracy: float | None = None
    margin: Estimate | None = None
    ties: int | None = None
    notes: tuple[str, ...] = ()
    why_empty: str | None = None
    scoring: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name; estimates with ``_low`` and ``_high``.
        """
        told = flat_values(self, _SPREAD)
        del told["scoring"]
        return told | dict(self.scoring)


def score_pairs(
    name: str,
    pairs: Sequence[MinimalPair],
    scores: ArrayLike,
    *,
    faults: Mapping[str, str] | None = None,
    how: Resampling | None = None,
) -> list[Behaviour]:
    """Sum up which sentence of each pair a model prefers, by paradigm, by phenomenon, and in all.

    The grammatical sentence is preferred if its score is the higher one; a tie counts as not
    preferred. Intervals are percentile bootstrap intervals over pairs, or over items for made
    pairs. Pairs of two equal sentences are left out, which a note says.

    Parameters
    ----------
    name : str
        The name of the suite.
    pairs : sequence of MinimalPair
        Its pairs.
    scores : array_like of float, shape (n_pairs, 2)
        The log-probabilities of the good and the bad sentence of each.
    faults : mapping of str to str, optional
        Why paradigms have no scores, by name: they get an empty row.
    how : Resampling, optional
        How intervals are made.

    Returns
    -------
    list of Behaviour
        For each phenomenon the rows of its paradigms, then its own row; then that of all.

    Raises
    ------
    StructprobeError
        If there is not one row of two numbers for each pair, or one is NaN.
    """
    told = np.asarray(scores, dtype=np.float64).reshape(-1, 2)  # (n, 2)
    if len(told) != len(pairs):
        raise StructprobeError(f"{counted(len(told), 'score')} for {counted(len(pairs), 'pair')}")
    if np.isnan(told).any():
        place = pairs[int(np.isnan(told).any(axis=1).argmax())].where
        raise StructprobeError("a sentence has no score: NaN", where=place)
    equal = [one for one in pairs if one.is_equal]
    kept = [(one, own) for one, own in zip(pairs, told, strict=True) if not one.is_equal]
    counted_pairs, own_scores = [one for one, _ in kept], [own for _, own in kept]
    table = _Pairs(name, counted_pairs, own_scores, equal, how or Resampling())
    names = dict.fromkeys((one.phenomenon, one.paradigm) for one in pairs)
    empty = empty_rows(name, faults or {})
    rows: list[Behaviour] = []
    for phenomenon in dict.fromkeys(one for one, _ in names):
        own = [paradigm for one, paradigm in names if one == phenomenon]
        of_paradigms = [table.row("paradigm", [one], phenomenon) for one in own]
        rows += of_paradigms
        if phenomenon is not None:
            rows.append(table.row("phenomenon", own, phenomenon, of_paradigms))
    of_paradigms = [one for one in rows if one.level == "paradigm"]
    lost = _lost(len(empty), len(of_paradigms) + len(empty), "paradigm")
    every = table.row(ALL, [one for _, one in names], None, of_paradigms, lost)
    return [*rows, *empty, every]


class _Pairs:
    """The pairs of a suite that count, as arrays."""

    def __init__(
        self,
        name: str,
        pairs: Sequence[MinimalPair],
        scores: Sequence[Floats],
        equal: Sequence[MinimalPair],
        how: Resampling,
    ) -> None:
        both = np.array(scores).reshape(-1, 2)  # (n, 2)
        # Of two sentences that are impossible, neither is preferred.
        with np.errstate(invalid="ignore"):
            self.margin = np.where(both[:, 0] == both[:, 1], 0.0, both[:, 0] - both[:, 1])  # (n,)
        self.of = np.empty(len(pairs), dtype=object)  # phenomenon and paradigm
        self.of[:] = [(one.phenomenon, one.paradigm) for one in pairs]
        keys = [(one.phenomenon, i if one.item is None else -one.item, one.item is None)
                for i, one in enumerate(pairs)]  # fmt: skip
        order = {key: unit for unit, key in enumerate(dict.fromkeys(keys))}
        self.unit = np.array([order[key] for key in keys], dtype=np.int64)
        self.suite, self.equal, self.how = name, equal, how

    def row(
        self,
        level: str,
        names: Sequence[str],
        phenomenon: str | None,
        parts: Sequence[Behaviour] = (),
        notes: tuple[str, ...] = (),
    ) -> Behaviour:
        """Sum up the pairs of some paradigms."""
        own = {(phenomenon, one) for one in names}
        chosen = np.array([level == ALL or one in own for one in self.of], dtype=bool)
        margin, unit = self.margin[chosen], self.unit[chosen]
        ones = np.ones(len(margin))
        equal = [one for one in self.equal
                 if level == ALL or (one.phenomenon, one.paradigm) in own]  # fmt: skip
        notes += _left_out(equal) + _few(len(np.unique(unit)), len(margin), "pair")
        name = names[0] if level == "paradigm" else None
        if not len(margin):
            why = "; ".join(notes) or "no pairs"
            return Behaviour(self.suite, level, name, phenomenon, why_empty=why)
        known = [one.accuracy.value for one in parts if one.accuracy is not None]
        return Behaviour(
            self.suite,
            level,
            name,
            phenomenon,
            n=len(margin),
            accuracy=ratio((margin > 0).astype(float), ones, unit, self.how),
            mean_accuracy=float(np.mean(known)) if known else None,
            margin=ratio(margin, ones, unit, self.how) if np.isfinite(margin).all() else None,
            ties=int((margin == 0).sum()),
            notes=notes,
        )


def score_suites(
    name: str,
    suites: Sequence[Suite],
    surprisals: Mapping[str, Sequence[Mapping[Region, float]]],
    *,
    faults: Mapping[str, str] | None = None,
    how: Resampling | None = None,
) -> list[Behaviour]:
    """Sum up in which items the predictions of SyntaxGym suites hold.

    An item in which a named region was not scored, since no token comes before its first one, is
    left out of the prediction, which a note says. Intervals are bootstrap intervals over items.

    Parameters
    ----------
    name : str
        The name of the group.
    suites : sequence of Suite
        The suites.
    surprisals : mapping of str to sequence of mapping
        For each suite by its name, and each of its items, the surprisal of every region that its
        predictions name. A suite without an entry is in `faults`.
    faults : mapping of str to str, optional
        Why suites have no scores.
    how : Resampling, optional
        How intervals are made.

    Returns
    -------
    list of Behaviour
        For each suite one row for each prediction, if there are several, and one for all of them;
        then a row for the items of all suites.
    """
    how = how or Resampling()
    rows, every = [], []
    for suite in suites:
        if suite.name not in surprisals:
            continue
        told = np.array(
            [
                [
                    math.nan if (holds := one.holds(own)) is None else holds
                    for one in suite.predictions
                ]
                for own in surprisals[suite.name]
            ],
            dtype=np.float64,
        )  # (n_items, n_predictions)
        base = _empty_regions(suite)
        if len(suite.predictions) > 1:
            rows += [_row(name, "prediction", suite.name, told[:, place], base, how, formula.text)
                     for place, formula in enumerate(suite.predictions)]  # fmt: skip
        # NaN where one of them cannot be told.
        whole = np.where(np.isnan(told).any(axis=1), np.nan, (told == 1).all(axis=1))
        rows.append(_row(name, "paradigm", suite.name, whole, base, how))
        every.append(whole)
    rows += empty_rows(name, faults or {})
    lost = _lost(len(faults or {}), len(every) + len(faults or {}), "suite")
    pooled = _row(name, ALL, None, np.concatenate(every) if every else np.zeros(0), lost, how)
    known = [one.accuracy.value for one in rows if one.level == "paradigm" and one.accuracy]
    mean = float(np.mean(known)) if known else None
    return [*rows, replace(pooled, mean_accuracy=mean)]


def regions_of(
    item: Item, words: Mapping[str, Floats], whole: Mapping[str, float], suite: Suite
) -> dict[Region, float]:
    """Sum the surprisals of words to those of the regions that the predictions of a suite name."""
    found: dict[Region, float] = {}
    for region in dict.fromkeys(one for formula in suite.predictions for one in formula.regions):
        if region.number is WHOLE:
            found[region] = whole[region.condition]
        else:
            own = words[region.condition][item.spans(region.condition)[region.number]]
            found[region] = float(own.sum())
    return found


def _row(
    suite: str,
    level: str,
    paradigm: str | None,
    holds: Floats,
    notes: tuple[str, ...],
    how: Resampling,
    formula: str | None = None,
) -> Behaviour:
    """Sum up in which items something holds; NaN where that cannot be told."""
    known = holds[~np.isnan(holds)]
    lost = len(holds) - len(known)
    if lost:
        told = f"{counted(lost, 'item')} left out: a region that is named was not scored"
        notes = (*notes, told)
    notes += _few(len(known), len(known), "item")
    row = Behaviour(suite, level, paradigm, formula=formula, n=len(known), notes=notes)
    if not len(known):
        return replace(row, why_empty="; ".join(notes) or "no items", notes=())
    return replace(row, accuracy=ratio(known, np.ones(len(known)), np.arange(len(known)), how))


def _few(n_units: int, n: int, noun: str) -> tuple[str, ...]:
    """Say that an interval means little."""
    if not 0 < n_units < FEW:
        return ()
    of = counted(n, noun) if n == n_units else f"{counted(n, noun)} of {counted(n_units, 'item')}"
    return (f"only {of}: the interval means little",)


def _left_out(equal: Sequence[MinimalPair]) -> tuple[str, ...]:
    """Say which pairs are none."""
    if not equal:
        return ()
    more = f" and {len(equal) - 1} more" if len(equal) > 1 else ""
    told = f"{counted(len(equal), 'pair')} of two equal sentences left out"
    return (f"{told}: {equal[0].where}{more}",)


def _lost(n: int, total: int, noun: str) -> tuple[str, ...]:
    return (f"without {n} of {counted(total, noun)}, which could not be scored",) if n else ()


def _empty_regions(suite: Suite) -> tuple[str, ...]:
    """Say where a prediction names a region without words."""
    found: dict[Region, int] = {}
    for item in suite.items:
        for region in dict.fromkeys(one for told in suite.predictions for one in told.regions):
            content = item.regions[region.condition]
            if region.number is not WHOLE and not content[region.number].strip():
                found[region] = found.get(region, 0) + 1
    return tuple(
        f"the region {region} has no words in {counted(n, 'item')}: its surprisal is 0 there"
        for region, n in found.items()
    )


def empty_rows(suite: str, faults: Mapping[str, str]) -> list[Behaviour]:
    """Give the rows of paradigms that could not be scored, with the reason by name."""
    return [Behaviour(suite, "paradigm", one, why_empty=why) for one, why in faults.items()]
