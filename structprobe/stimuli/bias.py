"""The near-word bias: how predicted distances follow linear distance where tree distance is fixed.

Estimates are ratios of sums over units, such as items or sentences, which the bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ScoreError
from structprobe.scores.intervals import check_resampling, quantile_bounds, resamples

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value with its bootstrap interval.

    Attributes
    ----------
    value : float
        The value on all data.
    low, high : float or None
        The bounds of the percentile interval; None if there is only one unit to resample, or, for
        a slope, only one in which linear distance varies.
    n : int
        The number of data points.
    """

    value: float
    low: float | None
    high: float | None
    n: int


def flat_values(record: Any, estimates: Collection[str]) -> dict[str, Any]:
    """List the fields of a dataclass, those that hold estimates with ``_low`` and ``_high``."""
    told: dict[str, Any] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if one.name not in estimates:
            told[one.name] = list(value) if isinstance(value, tuple) else value
            continue
        told[one.name] = value and value.value
        told |= {f"{one.name}_{end}": value and getattr(value, end) for end in ("low", "high")}
    return told


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    n: int = 1000
    level: float = 0.95
    random_state: int = 0

    def __post_init__(self) -> None:
        check_resampling(self.n, self.level)


def ratio(part: Floats, whole: Floats, units: ArrayLike, how: Resampling) -> Estimate | None:
    """Divide the sum of `part` by that of `whole`, with an interval; None for 0 / 0."""
    # part (m,), whole (m,), units (m,)
    if not whole.sum() > 0:
        return None
    names, unit = np.unique(np.asarray(units)[whole > 0], return_inverse=True)
    parts, wholes = (np.bincount(unit, one[whole > 0]) for one in (part, whole))
    drawn = [w @ parts / (w @ wholes) for w in resamples(len(names), how.n, how.random_state)]
    low, high = _bounds(drawn, len(names), how)
    return Estimate(float(parts.sum() / wholes.sum()), low, high, int((whole > 0).sum()))


def near_word_slope(
    predicted: ArrayLike,
    linear: ArrayLike,
    tree: ArrayLike,
    *,
    blocks: ArrayLike | None = None,
    units: ArrayLike | None = None,
    n: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
) -> Estimate | None:
    """Regress predicted distances on linear distances, with fixed effects of the tree distance.

    The slope is how much the predicted distance of two words grows with each additional word
    between them, at the same distance in the gold tree: 0 for predictions that depend on the tree
    alone, 1 if they are linear distances. With `blocks`, there is one fixed effect for each tree
    distance in each block, so that only pairs in the same block are compared.

    Parameters
    ----------
    predicted : array_like of float, shape (m,)
        The predicted distances of m pairs of words.
    linear, tree : array_like of int, shape (m,)
        Their distances in the sentence and in the gold tree.
    blocks : array_like of int, shape (m,), optional
        The block of each pair, such as its item or sentence.
    units : array_like of int, shape (m,), optional
        What the bootstrap resamples, such as items or sentences; by default each pair.
    n : int
        The number of resamples.
    level : float
        The level of the interval.
    random_state : int
        Random seed of the bootstrap.

    Returns
    -------
    Estimate or None
        The slope, with its percentile interval over `units`; None if pairs with the same tree
        distance do not differ in linear distance.

    Raises
    ------
    ScoreError
        If the arrays differ in length or contain NaN or infinity, or `n` or `level` is invalid.
    """
    how = Resampling(n, level, random_state)
    y, x, depth = (np.asarray(one, dtype=np.float64) for one in (predicted, linear, tree))
    block = np.zeros(y.size) if blocks is None else np.asarray(blocks)
    unit = np.arange(y.size) if units is None else np.asarray(units)
    shapes = [one.shape for one in (y, x, depth, block, unit)]
    if set(shapes) != {(y.size,)}:
        told = ", ".join(map(str, shapes))
        hint = "give one value per pair of words to each"
        raise ScoreError(f"arrays of different shapes: {told}", hint=hint)
    if not np.isfinite(np.concatenate([y, x, depth])).all():
        raise ScoreError("distances contain a value that is not finite")
    if not y.size:
        return None
    _, group = np.unique(np.stack([depth, block]), axis=1, return_inverse=True)
    group = group.ravel()
    size = np.bincount(group)
    x, y = (one - (np.bincount(group, one) / size)[group] for one in (x, y))
    if not (x @ x) > 1e-9:
        return None
    # Units in which nothing varies say nothing of the slope, nor of how sure it is.
    n_varying = len(np.unique(unit[np.abs(x) > 1e-9]))
    names, unit = np.unique(unit, return_inverse=True)
    cells = _cells(x, y, group, unit)
    drawn = [_slopes(w, cells) for w in resamples(len(names), n, random_state)]
    low, high = _bounds(drawn, n_varying, how)
    return Estimate(float(x @ y / (x @ x)), low, high, len(y))


class _Cells(NamedTuple):
    """Sums of 1, x, y, x² and xy over the pairs of each group in each unit."""

    groups: list[tuple[NDArray[np.intp], Floats]]  # Units (k,) and sums (k, 5) of groups of several
    alone: Floats  # (n_units, 2): sums of x² and xy over the groups that lie in one unit


def _cells(x: Floats, y: Floats, group: NDArray[np.intp], unit: NDArray[np.intp]) -> _Cells:
    places, cell = np.unique(np.stack([group, unit]), axis=1, return_inverse=True)
    columns = (np.ones_like(x), x, y, x * x, x * y)
    sums = np.stack([np.bincount(cell.ravel(), column) for column in columns], axis=1)
    alone = (np.bincount(places[0]) == 1)[places[0]]
    of_one = np.zeros((int(unit.max()) + 1, 2))
    np.add.at(of_one, places[1, alone], sums[alone, 3:])
    starts = np.flatnonzero(np.diff(places[0, ~alone], prepend=-1))[1:]  # sorted by group
    groups = zip(np.split(places[1, ~alone], starts), np.split(sums[~alone], starts), strict=True)
    return _Cells([(units, own) for units, own in groups if len(units)], of_one)


def _slopes(weights: Floats, cells: _Cells) -> Floats:
    """Compute the slope for each weighting of the units (b, n_units)."""
    total = weights @ cells.alone  # (b, 2)
    for units, sums in cells.groups:
        count, x, y, xx, xy = (weights[:, units] @ sums).T  # (b,) each
        count = np.maximum(count, 1.0)  # all sums are 0 where none is drawn
        total += np.stack([xx - x * x / count, xy - x * y / count], axis=1)
    found = np.full(len(weights), np.nan)
    np.divide(total[:, 1], total[:, 0], out=found, where=total[:, 0] > 1e-9)
    return found


def _bounds(
    drawn: list[Floats], n_units: int, how: Resampling
) -> tuple[float, float] | tuple[None, None]:
    """Give the bounds of the resampled values, if there was more than one unit to draw from."""
    values = np.concatenate(drawn)
    if n_units < 2 or np.isnan(values).all():
        return None, None
    return quantile_bounds(values, how.level)
