"""Angles between the subspaces of probes (as in Chi, Hewitt and Manning 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structprobe.errors import ProbeError
from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.whitening import Moments, second_moments, whitening
from structprobe.probe.types import WordVectorsLike

# Of the largest singular value; float32, in which probes are trained, resolves nothing below.
_LEAST = 1e-5
_DRAWS = 20  # pairs of random subspaces, whose mean angles hardly differ


def principal_angles(
    a: ArrayLike, b: ArrayLike, coordinates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Compute the principal angles between the row spaces of two probes.

    In raw coordinates, the angles depend on how the model scales its directions. In coordinates
    that whiten the word vectors they do not, and their cosines are the canonical correlations
    between the projections of the two probes.

    Parameters
    ----------
    a, b : array_like of float, shape (rank, hidden_size)
        The matrices of two probes, such as ``distance_components_``.
    coordinates : array_like of float, shape (n_axes, hidden_size), optional
        Linear map from vectors to the coordinates in which the angles are measured, such as the
        result of `pooled_whitening`; by default, raw coordinates.

    Returns
    -------
    ndarray of float64, shape (n_angles,)
        The angles in degrees, from 0 to 90, ascending; as many as the smaller of the two subspaces
        has dimensions.

    Raises
    ------
    ProbeError
        If the shapes do not match, a value is not finite, or a matrix is 0.

    Examples
    --------
    >>> principal_angles([[1, 0, 0]], [[1, 1, 0]]).round(6).tolist()
    [45.0]
    """
    from scipy.linalg import orth, subspace_angles  # here, since they take long to import

    matrices = [np.asarray(one, dtype=np.float64) for one in (a, b)]
    shapes = [one.shape for one in matrices]
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        hint = "pass two matrices (rank, hidden_size)"
        raise ProbeError(f"a has the shape {shapes[0]} and b {shapes[1]}", hint=hint)
    if coordinates is not None:
        # A probe takes x to B x, which is B pinv(C) z in the coordinates z = C x.
        inverse = np.linalg.pinv(np.asarray(coordinates, dtype=np.float64))  # (hidden, n_axes)
        if len(inverse) != shapes[0][1]:
            told = f"coordinates are for hidden_size {len(inverse)}, but a and b for {shapes[0][1]}"
            raise ProbeError(told)
        matrices = [one @ inverse for one in matrices]
    bases = []
    for name, one in zip("ab", matrices, strict=True):
        if not np.isfinite(one).all():
            raise ProbeError(f"{name} contains NaN or infinity")
        if not one.any():
            raise ProbeError(f"{name} is 0, and spans no subspace")
        bases.append(orth(one.T, rcond=_LEAST))  # (hidden_size or n_axes, n_dimensions)
    found: NDArray[np.float64] = np.rad2deg(subspace_angles(*bases))[::-1]
    return found


def random_angle(rank: int, width: int, *, random_state: int | None = 0) -> float:
    """Estimate the mean principal angle between random subspaces (chance level).

    It is below 90 degrees and falls as the rank rises: subspaces with more than half of the
    dimensions of the space even have directions in common.

    Parameters
    ----------
    rank : int
        Dimensions of the two subspaces.
    width : int
        Dimensions of the space.
    random_state : int or None, default=0
        Seed of the subspaces; 20 pairs are drawn.

    Returns
    -------
    float
        The mean angle in degrees.

    Raises
    ------
    ProbeError
        If the rank is not between 1 and the width.
    """
    if not 1 <= rank <= width:
        raise ProbeError(f"rank {rank} is out of range", hint=f"choose from 1 to {width} (width)")
    generator = np.random.default_rng(random_state)
    pairs = (generator.standard_normal((2, rank, width)) for _ in range(_DRAWS))
    return float(np.mean([principal_angles(*pair).mean() for pair in pairs]))


def pooled_whitening(
    banks: Sequence[WordVectorsLike], *, centred: bool = True
) -> NDArray[np.float64]:
    """Compute the linear map that whitens the word vectors of several treebanks together.

    The second moments are averaged over treebanks, so that each treebank has the same weight,
    whatever its size. Directions that contain nothing but rounding errors are dropped.

    Parameters
    ----------
    banks : sequence of WordVectors, or of sequences of arrays (n_words, hidden_size)
        The word vectors of each treebank.
    centred : bool, default=True
        Whether to use moments about the mean of each sentence, which matter for distances, or about
        the origin, which matter for depths.

    Returns
    -------
    ndarray of float64, shape (n_axes, hidden_size)
        The linear map from vectors to whitened coordinates.

    Raises
    ------
    ProbeError
        If there are no vectors, their widths differ, or they do not vary.
    """
    words = [read_words(one, f"banks[{number}]") for number, one in enumerate(banks)]
    if not words:
        raise ProbeError("banks is empty", hint="pass the vectors of at least one treebank")
    if len(widths := {one.hidden_size for one in words}) > 1:
        told = ", ".join(map(str, sorted(widths)))
        raise ProbeError(f"the vectors of the treebanks have different hidden sizes: {told}")
    return whitening_of([*map(second_moments, words)], centred=centred)


def whitening_of(moments: Sequence[Moments], *, centred: bool) -> NDArray[np.float64]:
    """Find the coordinates for treebanks whose moments are known."""
    # -> (n_axes, hidden_size)
    n = len(moments)
    pooled = Moments(
        sum((one.about_origin for one in moments[1:]), moments[0].about_origin) / n,
        sum((one.within for one in moments[1:]), moments[0].within) / n,
        sum((one.mean for one in moments[1:]), moments[0].mean) / n,
        sum(one.squared_norm for one in moments) / n,
        max(one.eps for one in moments),
    )
    basis: NDArray[np.float64] = whitening(pooled, centred=centred).cpu().numpy()
    return basis
