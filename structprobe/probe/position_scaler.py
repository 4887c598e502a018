"""Standardise word vectors by the position of the word in its sentence."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor

from structprobe.errors import ProbeError
from structprobe.probe.base import NotFittedError, PerSentence
from structprobe.probe.data import inputs
from structprobe.probe.data.ragged_vectors import Words, ragged
from structprobe.probe.types import Origin, WordVectorsLike

STANDARDISED = "standardised"


class ScaledVectors(PerSentence):
    """One array per sentence, with the origin that a probe checks."""

    def __init__(self, arrays: Iterator[NDArray[Any]], origin: Origin) -> None:
        super().__init__(arrays)
        self.origin = origin


class PositionScaler(BaseEstimator):
    """Standardise word vectors by the position of the word in its sentence.

    At each position, the mean of all vectors at that position is subtracted, and each dimension is
    divided by its standard deviation at that position, both over the training sentences. So a probe
    cannot use the mean and standard deviation of a position to find out which words are close to
    each other. Other information about the position may remain.

    Parameters
    ----------
    least : int, default 100
        Minimum number of words from which the statistics of a position are computed. Positions that
        fewer training sentences reach share their statistics, with all later ones.

    Attributes
    ----------
    mean_, scale_ : ndarray of float32, shape (n_positions, hidden_size)
        Mean and standard deviation at each position, from the first; those of the last row are used
        for all later positions. The standard deviation of a constant dimension is given as 1.
    n_features_in_ : int
        hidden_size of the vectors seen during `fit`.
    origin_ : dict or None
        The model and settings that the vectors come from, if known; others are rejected.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = [np.array([[1.0], [5.0]]), np.array([[3.0], [9.0]])]
    >>> scaled = PositionScaler(least=2).fit(vectors).transform(vectors)
    >>> [one.ravel().tolist() for one in scaled]
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    mean_: NDArray[np.float32]
    scale_: NDArray[np.float32]
    n_features_in_: int
    origin_: Origin

    def __init__(self, *, least: int = 100) -> None:
        self.least = least

    def fit(self, X: WordVectorsLike, y: object = None) -> Self:
        """Compute the mean and standard deviation at each position.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            The word vectors of the training sentences.
        y : object, optional
            Ignored; pipelines pass it.

        Returns
        -------
        self
            The fitted scaler.

        Raises
        ------
        ProbeError
            If the vectors cannot be used, or there are fewer than `least` words.
        """
        if isinstance(self.least, bool) or not isinstance(self.least, Integral) or self.least < 2:
            raise ProbeError(f"least must be a whole number of at least 2, got {self.least!r}")
        words = inputs.read_words(X)
        inputs.check_finite(words, "X")
        n_words = int(words.lengths.sum())
        if n_words < self.least:
            told = f"X has {n_words} words, fewer than least={self.least}"
            raise ProbeError(told, hint="pass more sentences, or a lower least")
        reached = np.bincount(words.lengths)[:0:-1].cumsum()[::-1]  # (n_positions,): by sentences
        alone = int((reached >= self.least).sum())
        if alone and reached[alone:].sum() < self.least:
            alone -= 1  # else the rest would be measured by too few words
        counts = np.append(reached[:alone], reached[alone:].sum())  # (n_rows,)
        mean, squares = (torch.zeros(alone + 1, words.hidden_size).double() for _ in range(2))
        for rows, chunk in _by_position(words, alone):
            mean.index_add_(0, rows, chunk)
        mean /= torch.from_numpy(counts)[:, None]
        for rows, chunk in _by_position(words, alone):
            squares.index_add_(0, rows, (chunk - mean[rows]).square())
        scale = (squares / torch.from_numpy(counts)[:, None]).sqrt()
        self.mean_ = mean.float().numpy()
        self.scale_ = torch.where(scale > words.eps * mean.abs(), scale, 1.0).float().numpy()
        self.n_features_in_, self.origin_ = words.hidden_size, inputs.origin_of(X)
        return self

    def transform(self, X: WordVectorsLike) -> ScaledVectors:
        """Standardise the vectors of some sentences.

        Parameters
        ----------
        X : WordVectors, or sequence of arrays (n_words, hidden_size)
            Word vectors from the model and layer of the fit.

        Returns
        -------
        list of ndarray of float32, each (n_words, hidden_size)
            The standardised vectors. A probe that is fitted on them rejects others of this model.

        Raises
        ------
        ProbeError
            If width, model or settings differ from those of `fit`.
        NotFittedError
            If the scaler is not fitted.
        """
        if not hasattr(self, "mean_"):
            raise NotFittedError("this PositionScaler is not fitted", hint="call fit first")
        words, origin = inputs.read_words(X), inputs.origin_of(X)
        inputs.check_width(words, self.n_features_in_, "X")
        inputs.check_origin(origin, self.origin_, "X")
        known: Origin = origin and {**origin, "positions": STANDARDISED}
        return ScaledVectors(self._scaled(words), known)

    def _scaled(self, words: Words) -> Iterator[NDArray[np.float32]]:
        """Standardise one sentence after the other."""
        mean, scale = torch.from_numpy(self.mean_), torch.from_numpy(self.scale_)
        lengths = iter(words.lengths.tolist())
        for rows, chunk in _by_position(words, len(mean) - 1):
            found = ((chunk - mean[rows]) / scale[rows]).float().numpy()
            done = 0
            while done < len(found):
                n = next(lengths)
                yield found[done : done + n]
                done += n


def _by_position(words: Words, last: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Iterate over words in chunks, with the row of each: its position, or the last for all."""
    # -> (m,), (m, hidden_size)
    for (first, end), chunk in zip(words.cuts(), words.chunks(), strict=True):
        yield torch.from_numpy(ragged(words.lengths[first:end])[1]).clamp(max=last), chunk
