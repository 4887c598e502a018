"""Subspaces that are removed beside that of a probe, so that its effect can be judged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from structprobe.behaviour.interventions.coordinates import Coordinates
from structprobe.behaviour.interventions.subspaces import Subspace, probe_subspace, row_space
from structprobe.errors import ProbeError
from structprobe.probe.estimator import StructuralProbe

N_RANDOM = 5
_STEEPEST = 64.0  # the largest exponent of the variances that is tried
_CLOSE = 1e-3


def random_subspace(
    coordinates: Coordinates, rank: int, seed: int = 0, *, variance: float | None = None
) -> Subspace:
    """Draw a random subspace.

    In whitened coordinates all subspaces of a rank have the same variance, and the directions are
    drawn uniformly there. In raw coordinates variances differ; if one is given, the drawn
    directions are tilted towards the axes with more variance, or with less, until what is removed
    with the subspace has it: the coordinate along axis k is multiplied by the variance of the axis
    to a power t, found by bisection (the variance grows with t, from that of the bottom axes to
    that of the top axes).

    Parameters
    ----------
    coordinates : Coordinates
        The whitened coordinates.
    rank : int
        The number of its dimensions.
    seed : int, default=0
        Random state.
    variance : float, optional
        The share of raw variance that is to be removed, as `Subspace.variance`.

    Returns
    -------
    Subspace
        The subspace, of the name ``"random"``. Its variance is within 0.1 % of the given one, or
        the closest that was found.

    Raises
    ------
    ProbeError
        If the rank is not from 1 to one less than there are axes.
    """
    _check_rank(coordinates, rank)
    drawn = np.random.default_rng(seed).standard_normal((len(coordinates.variances), rank))
    logs = np.log(coordinates.variances)
    logs -= logs.max()

    def tilted(power: float) -> Subspace:
        heights = logs * power - (logs * power).max()
        basis, _ = np.linalg.qr(drawn * np.exp(heights)[:, None])
        return Subspace(basis, coordinates, "random")

    found = tilted(0.0)
    if variance is None:
        return found
    low, high = (0.0, _STEEPEST) if found.variance < variance else (-_STEEPEST, 0.0)
    for _ in range(60):
        if abs(found.variance - variance) <= _CLOSE * variance:
            break
        middle = (low + high) / 2
        found = tilted(middle)
        low, high = (middle, high) if found.variance < variance else (low, middle)
    return found


def principal_subspace(coordinates: Coordinates, rank: int, *, top: bool = True) -> Subspace:
    """Give the principal axes of the words with the most or the least variance.

    Parameters
    ----------
    coordinates : Coordinates
        The whitened coordinates.
    rank : int
        How many axes.
    top : bool, default=True
        Whether those with the most variance; otherwise those with the least.

    Returns
    -------
    Subspace
        The subspace, of the name ``"top axes"`` or ``"bottom axes"``.

    Raises
    ------
    ProbeError
        If the rank is not from 1 to one less than there are axes.
    """
    _check_rank(coordinates, rank)
    axes = np.eye(len(coordinates.variances))
    basis = axes[:, -rank:] if top else axes[:, :rank]
    return Subspace(np.ascontiguousarray(basis), coordinates, f"{'top' if top else 'bottom'} axes")


def untrained_subspace(coordinates: Coordinates, rank: int, seed: int = 0) -> Subspace:
    """Give the subspace of a probe before its training: of uniform random numbers in raw vectors.

    Parameters
    ----------
    coordinates : Coordinates
        The whitened coordinates.
    rank : int
        The rank of the probe.
    seed : int, default=0
        Random state.

    Returns
    -------
    Subspace
        The subspace, of the name ``"untrained probe"``.

    Raises
    ------
    ProbeError
        If the rank is not from 1 to one less than there are axes.
    """
    _check_rank(coordinates, rank)
    shape = rank, len(coordinates.mean)
    # The scale does not matter for the subspace.
    matrix: NDArray[np.float64] = np.random.default_rng(seed).uniform(-1, 1, shape)
    return row_space(matrix, coordinates, "untrained probe")


def control_subspaces(
    subspace: Subspace,
    *,
    n_random: int = N_RANDOM,
    probes: Mapping[str, StructuralProbe] | None = None,
    part: str = "distance",
    seed: int = 0,
) -> list[tuple[Subspace, int | None]]:
    """Give the subspaces that are removed beside another one.

    Parameters
    ----------
    subspace : Subspace
        What is removed.
    n_random : int, default=5
        The number of random subspaces with the same rank and the same share of raw variance, at
        least 5.
    probes : mapping of str to StructuralProbe, optional
        Probes trained on control tasks with the same rank, by the name of the task.
    part : {"distance", "depth", "both"}, default="distance"
        Which matrices of these probes are read.
    seed : int, default=0
        Random state of the first random subspace; the next have the following ones.

    Returns
    -------
    list of (Subspace, int or None)
        The subspaces and their seeds: ``"random"``, ``"top axes"``, ``"bottom axes"``,
        ``"untrained probe"``, and the control probes as ``"control: NAME"``.

    Raises
    ------
    ProbeError
        If there are fewer than 5 random subspaces, or a probe has vectors of another origin.
    """
    if n_random < N_RANDOM:
        what = f"{n_random} random subspaces are too few to judge an effect by"
        raise ProbeError(what, hint=f"ask for at least {N_RANDOM}")
    own, rank = subspace.coordinates, subspace.rank
    found: list[tuple[Subspace, int | None]] = []
    for number in range(seed, seed + n_random):
        same = random_subspace(own, rank, number, variance=subspace.variance)
        found.append((same, number))
    found += [(principal_subspace(own, rank, top=top), None) for top in (True, False)]
    found.append((untrained_subspace(own, rank, seed), seed))
    for name, probe in (probes or {}).items():
        found.append((probe_subspace(probe, own, part=part, name=f"control: {name}"), None))
    return found


def _check_rank(coordinates: Coordinates, rank: int) -> None:
    """Refuse a rank that leaves nothing, or takes nothing."""
    n_axes = len(coordinates.variances)
    if not 1 <= rank < n_axes:
        what = f"rank {rank} of the {n_axes} dimensions in which the words vary"
        raise ProbeError(what, hint=f"choose a rank from 1 to {n_axes - 1}")
