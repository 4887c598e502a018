"""Whitened coordinates of word vectors, in which subspaces are found and removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError
from structprobe.probe.data.inputs import read_words
from structprobe.probe.data.whitening import Moments, whitening

Floats = NDArray[np.float64]

SINK_FACTOR = 20.0  # times the median norm, as in `EncodedBank.outliers`
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Word vectors in coordinates in which their covariance is the identity.

    They are fitted on the words of one layer, without attention sinks: words whose vector has a
    norm above `bound`. The axes are the principal axes, from that with the least variance to that
    with the most; directions with nothing but rounding errors are left out.

    Attributes
    ----------
    mean : ndarray of float64, shape (hidden_size,)
        The mean of the words.
    whiten : ndarray of float64, shape (n_axes, hidden_size)
        The map W: ``W (x - mean)`` has the covariance I.
    unwhiten : ndarray of float64, shape (hidden_size, n_axes)
        Its pseudo-inverse W⁺.
    variances : ndarray of float64, shape (n_axes,)
        The variance of the words along each axis, ascending.
    bound : float
        The norm above which a word is a sink.
    n_words, n_sinks : int
        The number of words they were fitted on, and of those that were left out.
    origin : mapping
        Where the vectors come from, as in `WordVectors.origin`.
    """

    mean: Floats
    whiten: Floats
    unwhiten: Floats
    variances: Floats
    bound: float
    n_words: int
    n_sinks: int
    origin: Mapping[str, object]

    @classmethod
    def fit(cls, vectors: WordVectors, *, bound: float | None = None) -> Coordinates:
        """Fit the coordinates to the words of one layer.

        Parameters
        ----------
        vectors : WordVectors
            The word vectors, such as ``bank.layer(7)``.
        bound : float, optional
            The norm above which a word is left out; by default 20 times the median norm, and
            infinity for none.

        Returns
        -------
        Coordinates
            The coordinates.

        Raises
        ------
        ProbeError
            If all words have the same vector, or `bound` leaves fewer than two.
        """
        values = np.asarray(vectors.values)
        norms = np.linalg.norm(values.astype(np.float32, copy=False), axis=1)  # (n_words,)
        limit = float(SINK_FACTOR * np.median(norms)) if bound is None else float(bound)
        kept = np.flatnonzero(norms <= limit)
        if len(kept) < 2:
            what = f"{len(kept)} of {len(norms)} words have a vector of norm {limit:.6g} or less"
            raise ProbeError(what, hint="raise the bound of attention sinks, or give more words")
        # The sums are taken about the mean, so that a large mean costs no digits.
        mean = values[kept].mean(axis=0, dtype=np.float64)
        square = np.zeros((len(mean), len(mean)))
        for start in range(0, len(kept), _CHUNK):
            part = values[kept[start : start + _CHUNK]] - mean
            square += part.T @ part
        covariance, about_origin = square / len(kept), square / len(kept) + np.outer(mean, mean)
        eps = read_words(vectors).eps
        given = torch.from_numpy(about_origin), torch.from_numpy(covariance), torch.zeros(len(mean))
        # `within` is about the mean of all words here: the moments are those of one sentence.
        moments = Moments(*given, float(np.trace(about_origin)), eps)
        whiten: Floats = whitening(moments, centred=True).numpy()  # (n_axes, hidden_size)
        unwhiten = covariance @ whiten.T  # W⁺, as W covariance Wᵀ = I
        variances = np.square(unwhiten).sum(axis=0)
        n_sinks = len(norms) - len(kept)
        origin = dict(vectors.origin or {})
        return cls(mean, whiten, unwhiten, variances, limit, len(kept), n_sinks, origin)
