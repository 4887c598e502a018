"""Measure a model untouched and under interventions, and pair the two unit by unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.errors import StructprobeError
from structprobe.progress import progress_bar
from structprobe.stimuli.bias import Resampling, ratio

if TYPE_CHECKING:
    from structprobe.behaviour.interventions.base import Intervention
    from structprobe.behaviour.measures import Counts, Key, Measure
    from structprobe.encoder.encoder import Encoder

RANDOM = "random"
LEAST_UNITS = 5  # pairs of a phenomenon, below which an interval means nothing


@dataclass(frozen=True, eq=False)
class Planned:
    """An intervention to be measured, and what is said about it in rows.

    Attributes
    ----------
    intervention : Intervention
        What is done.
    name : str
        What it is called.
    control_of : str or None
        The name of the intervention that it is a control of; those called ``"random"`` are what
        ``beyond_random`` compares with.
    seed, rank : int or None
        The seed and the rank of what is removed.
    variance : float or None
        The share of the raw variance of the words that is removed.
    """

    intervention: Intervention
    name: str
    control_of: str | None = None
    seed: int | None = None
    rank: int | None = None
    variance: float | None = None


def measure_interventions(
    model: Any,
    planned: Sequence[Planned],
    measures: Sequence[Measure],
    *,
    how: Resampling | None = None,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Measure a model untouched and under interventions, and pair the two.

    Parameters
    ----------
    model : LanguageModel or Encoder
        The model. Measures that it does not allow, such as those that need a language-model head
        where there is none, get empty rows, which say why.
    planned : sequence of Planned
        The interventions.
    measures : sequence of Measure
        What is measured: see `structprobe.behaviour.measures`.
    how : Resampling, optional
        How intervals are made: by default, 95 % percentile intervals of 1,000 resamples.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    list of dict
        The rows, as `read_interventions` gives them. A measure that fails under an intervention, or
        an intervention that changes nothing or that the model refuses, has empty rows.

    Raises
    ------
    StructprobeError
        If the model refuses all interventions.
    """
    how, head, why = how or Resampling(), model, None
    encoder = getattr(model, "encoder", model)
    if head is encoder:
        head, why = with_head(encoder)
        encoder = encoder if head is None else head.encoder
    faults = {one: str(why) for one in measures if head is None and one.needs_head}
    before, lost = _read([one for one in measures if one not in faults], head, encoder, share=True)
    faults |= lost
    usable = {one: keys for one, keys in before.items() if keys}
    after: list[_Read] = []
    told: list[dict[str, Any]] = []
    with progress_bar("intervene", len(planned), "reading", shown=progress) as advance:
        for one in planned:
            after.append(_read_under(one.intervention, usable, head, encoder))
            told.append(_told(one, encoder))
            advance(1)
    refused = [one.refused for one in after if one.refused is not None]
    if refused and len(refused) == len(after):
        raise refused[0]
    rows = []
    for one, own, own_told in zip(planned, after, told, strict=True):
        beside = [] if one.control_of is not None else [
            other.found for plan, other in zip(planned, after, strict=True)
            if (plan.name, plan.control_of) == (RANDOM, one.name)
        ]  # fmt: skip
        for measure, keys in usable.items():
            for key, untouched in keys.items():
                if (reason := own.why(measure)) is not None:
                    rows.append(own_told | _empty(*key, reason, len(untouched.part)))
                    continue
                others = [other[measure][key] for other in beside if measure in other]
                others = others if len(others) == len(beside) else []  # else the mean is another's
                rows.append(
                    own_told | _compared(key, untouched, own.found[measure][key], others, how)
                )
        for measure, reason in faults.items():
            rows += [own_told | _empty(name, None, reason) for name in measure.names]
    return rows


_Values = dict["Measure", dict["Key", "Counts"]]


@dataclass(frozen=True, eq=False)
class _Read:
    """What was measured under an intervention, and why the rest was not."""

    found: _Values
    faults: dict[Measure, str]
    refused: StructprobeError | None = None  # by the model, before anything was measured
    is_idle: bool = False  # whether nothing was changed

    def why(self, measure: Measure) -> str | None:
        """Say why a measure has no value; None if it has one."""
        if self.refused is not None:
            return str(self.refused)
        if measure not in self.faults and self.is_idle:
            return "nothing was changed: there are no chosen words but attention sinks"
        return self.faults.get(measure)


def _read(
    measures: Iterable[Measure], head: Any, encoder: Encoder, *, share: bool
) -> tuple[_Values, dict[Measure, str]]:
    """Measure what can be measured, and say why the rest cannot."""
    found: _Values = {}
    faults: dict[Measure, str] = {}
    for one in measures:
        try:
            found[one] = one.read(head if one.needs_head else encoder, share=share)
        except StructprobeError as error:
            faults[one] = str(error)
    return found, faults


def _read_under(
    intervention: Intervention, measures: Iterable[Measure], head: Any, encoder: Encoder
) -> _Read:
    """Measure what can be measured under an intervention."""
    try:
        with intervention.on(encoder):
            found, faults = _read(measures, head, encoder, share=intervention.is_pointwise)
    except StructprobeError as error:
        return _Read({}, {}, error)
    return _Read(found, faults, is_idle=not intervention.n_changed)


def _told(one: Planned, encoder: Encoder) -> dict[str, Any]:
    """Say which intervention a row is about."""
    own = one.intervention
    return {
        "intervention": one.name,
        "control_of": one.control_of,
        "layer": own.layer,
        "rank": one.rank,
        "variance": one.variance,
        "seed": one.seed,
        "n_changed": own.n_changed,
        "n_sinks": own.n_sinks,
        "model": encoder.loaded.name,
        "fingerprint": encoder.fingerprint,
    }


_NUMBERS = ("untouched", "value", "difference", "low", "high", "beyond_random",
            "beyond_random_low", "beyond_random_high")  # fmt: skip


def _empty(measure: str, phenomenon: str | None, why: str | None, n: int = 0) -> dict[str, Any]:
    """Make the part of a row without values."""
    told = {"measure": measure, "phenomenon": phenomenon, **dict.fromkeys(_NUMBERS)}
    return told | {"n": n, "why_empty": why}


def _compared(
    key: Key,
    before: Counts,
    after: Counts,
    beside: Sequence[Counts],
    how: Resampling,
) -> dict[str, Any]:
    """Compare a measure with that of the untouched model, and with the mean of random controls."""
    n_units = len(np.unique(before.units[before.whole > 0]))
    if n_units < LEAST_UNITS:
        why = f"{n_units} are too few to tell a difference: give at least {LEAST_UNITS}"
        return _empty(*key, why, len(before.part))
    whole = before.whole
    difference = ratio(after.part - before.part, whole, before.units, how)
    values = [float(one.part.sum() / whole.sum()) for one in (before, after)]
    assert difference is not None
    told = _empty(*key, None, difference.n)
    told |= {"untouched": values[0], "value": values[1], "difference": difference.value}
    told |= {"low": difference.low, "high": difference.high}
    if beside:
        mean = np.mean([one.part for one in beside], axis=0)
        beyond = ratio(after.part - mean, whole, before.units, how)
        assert beyond is not None
        told |= {"beyond_random": beyond.value, "beyond_random_low": beyond.low}
        told |= {"beyond_random_high": beyond.high}
    return told


def with_head(encoder: Encoder) -> tuple[Any, str | None]:
    """Find the language-model head of a model, or say why there is none."""
    from structprobe.behaviour.language_model import LanguageModel

    try:
        return LanguageModel(encoder), None
    except StructprobeError as error:
        return None, str(error)
