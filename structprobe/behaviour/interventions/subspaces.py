"""Subspaces of whitened word vectors: that of a probe, and that of a concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from structprobe.behaviour.interventions.coordinates import Coordinates, Floats
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError, unknown_name
from structprobe.probe.estimator import StructuralProbe

PARTS = ("distance", "depth", "both")
# Of the largest singular value: what float32, in which probes are trained, does not resolve.
_LEAST = 1e-5


@dataclass(frozen=True, eq=False)
class Subspace:
    """A subspace of whitened word vectors, which can be removed.

    With the orthonormal basis U of the subspace in whitened coordinates, its removal takes a vector
    x to ``x - W⁺ U Uᵀ W (x - mean)``: an oblique projection, after which nothing linear tells where
    a word was in the subspace, and which keeps the mean of the words. The result does not depend on
    the model's scales: if all vectors are mapped by an invertible matrix A, that of ``A x`` is A
    times that of x.

    Attributes
    ----------
    basis : ndarray of float64, shape (n_axes, rank)
        U.
    coordinates : Coordinates
        The mean, W and W⁺.
    name : str
        What it is, such as ``"probe"``.
    """

    basis: Floats
    coordinates: Coordinates
    name: str = ""

    @property
    def rank(self) -> int:
        """The number of its dimensions."""
        return int(self.basis.shape[1])

    @property
    def reads(self) -> Floats:
        """The map from a vector, minus the mean, to the subspace, ``Uᵀ W``."""
        # -> (rank, hidden_size)
        found: Floats = self.basis.T @ self.coordinates.whiten
        return found

    @property
    def writes(self) -> Floats:
        """The map from the subspace back to vectors, ``W⁺ U``, transposed."""
        # -> (rank, hidden_size)
        found: Floats = (self.coordinates.unwhiten @ self.basis).T
        return found

    @property
    def variance(self) -> float:
        """The share of the raw variance of the words that is removed with it, 0 to 1."""
        total = self.coordinates.variances.sum()
        return float(np.square(self.writes).sum() / total)

    def remove(self, vectors: ArrayLike) -> Floats:
        """Remove the subspace from vectors.

        Parameters
        ----------
        vectors : array_like of float, shape (n_words, hidden_size)
            The vectors.

        Returns
        -------
        ndarray of float64, shape (n_words, hidden_size)
            The vectors without it.
        """
        given = np.asarray(vectors, dtype=np.float64)
        found: Floats = given - (given - self.coordinates.mean) @ self.reads.T @ self.writes
        return found


def probe_subspace(
    probe: StructuralProbe, coordinates: Coordinates, *, part: str = "distance", name: str = "probe"
) -> Subspace:
    """Find the subspace that a structural probe reads.

    It is the row space of ``B W⁺``, the probe in whitened coordinates. Its removal is
    ``x - Σ Bᵀ (B Σ Bᵀ)⁺ B (x - mean)`` for the covariance Σ of the words: that with the least
    change, relative to Σ, after which the probe sees all words in the same place.

    Parameters
    ----------
    probe : StructuralProbe
        A fitted probe.
    coordinates : Coordinates
        Those of the word vectors of the probe's layer.
    part : {"distance", "depth", "both"}, default="distance"
        Which of its matrices are read.
    name : str, default="probe"
        What the subspace is called in rows.

    Returns
    -------
    Subspace
        The subspace; its rank is that of the probe, or up to twice that for ``"both"``.

    Raises
    ------
    ProbeError
        If the probe is for vectors of another width or origin, or it would leave no direction.
    """
    if part not in PARTS:
        raise ProbeError(unknown_name("part", part, PARTS))
    probe._check_fitted()
    matrices = [getattr(probe, f"{one}_components_") for one in PARTS[:2] if part in (one, "both")]
    told = getattr(probe, "origin_", None) or {}
    for key in ("fingerprint", "layer"):
        given, own = (one.get(key) for one in (coordinates.origin, told))
        if None not in (given, own) and given != own:
            what = f"the probe was fitted on vectors with {key} {own!r}, but these have {given!r}"
            raise ProbeError(what, hint="give the vectors of the model and layer of the probe")
    return row_space(np.concatenate(matrices), coordinates, name)


def row_space(components: ArrayLike, coordinates: Coordinates, name: str = "") -> Subspace:
    """Find the subspace that a matrix reads from vectors."""
    # components (rank, hidden_size)
    matrix = np.asarray(components, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(coordinates.mean):
        width = len(coordinates.mean)
        what = f"a matrix of shape {matrix.shape} does not read vectors of width {width}"
        raise ProbeError(what, hint="give the vectors that the probe was fitted on")
    return _spanned(coordinates.unwhiten.T @ matrix.T, coordinates, name)


def concept_subspace(
    vectors: WordVectors,
    concept: Sequence[ArrayLike],
    coordinates: Coordinates,
    *,
    name: str = "concept",
) -> Subspace:
    """Find the subspace whose removal erases a concept (LEACE).

    It is the column space of ``W Σxz``, where Σxz is the covariance of vectors and concept. Of all
    affine maps after which no linear classifier can tell the concept, and no linear regression
    predict it, its removal changes the vectors least (Belrose et al. 2023, LEACE: Perfect Linear
    Concept Erasure in Closed Form, theorem 4.3), in the mean square and in every norm.

    Parameters
    ----------
    vectors : WordVectors
        The word vectors that `coordinates` were fitted on.
    concept : sequence of array_like
        For each sentence an array with one value per word: names, such as relations, or numbers,
        such as depths.
    coordinates : Coordinates
        Their coordinates. Sinks are left out.
    name : str, default="concept"
        What the subspace is called in rows.

    Returns
    -------
    Subspace
        The subspace: of one dimension for numbers, and of up to one less than there are names.

    Raises
    ------
    ProbeError
        If there is not one value per word, or the concept has the same value for all words.
    """
    given = [np.asarray(one) for one in concept]
    lengths = [len(one) for one in given]
    wanted = np.diff(vectors.offsets).tolist()
    if lengths != wanted:
        n = next((i for i, (a, b) in enumerate(zip(lengths, wanted, strict=False)) if a != b), None)
        what = f"{len(lengths)} sentences of values for {len(wanted)} sentences"
        if n is not None:
            what = f"sentence {n} has {lengths[n]} values for {wanted[n]} words"
        raise ProbeError(what, hint="give one value for each word")
    values = np.concatenate(given)
    rows = np.asarray(vectors.values)
    norms = np.linalg.norm(rows.astype(np.float32, copy=False), axis=1)
    kept = np.flatnonzero(norms <= coordinates.bound)
    target = values[kept, None].astype(np.float64) if values.dtype.kind in "fiub" else None
    if target is None:
        target = (values[kept, None] == np.unique(values[kept])).astype(np.float64)
    target = target - target.mean(axis=0)
    spread = np.sqrt(np.square(target).mean(axis=0))
    if not np.isfinite(spread).all():
        raise ProbeError("the concept contains NaN or infinity", hint="leave these sentences out")
    if not (spread > 0).any():
        raise ProbeError("the concept has the same value for all words, and cannot be erased")
    crossed = np.zeros((len(coordinates.mean), target.shape[1]))
    for start in range(0, len(kept), 8192):
        some = slice(start, start + 8192)
        crossed += (rows[kept[some]] - coordinates.mean).T @ target[some]
    # Correlations, not covariances: what counts as 0 must not depend on how frequent a name is.
    crossed = crossed[:, spread > 0] / spread[spread > 0] / len(kept)
    return _spanned(coordinates.whiten @ crossed, coordinates, name)


def _spanned(columns: Floats, coordinates: Coordinates, name: str) -> Subspace:
    """Make the subspace that the columns of a matrix in whitened coordinates span."""
    # columns (n_axes, m)
    basis, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int((sizes > _LEAST * sizes.max(initial=0)).sum())
    if not rank:
        raise ProbeError(f"the subspace {name!r} is empty: its matrix reads nothing of the words")
    if rank >= len(columns):
        what = f"rank {rank} leaves none of the {len(columns)} dimensions of the words"
        raise ProbeError(what, hint="choose a smaller rank")
    return Subspace(np.ascontiguousarray(basis[:, :rank]), coordinates, name)
